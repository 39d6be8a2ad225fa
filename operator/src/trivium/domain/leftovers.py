"""Never two living attempts: a RayJob that no living attempt accounts for goes, and all else waits for that."""

from trivium.domain.situation import Situation
from trivium.domain.verdict import Sweep, Verdict

STUCK_SECONDS = 120.0
"""KubeRay's finalizer needs seconds; while KubeRay is down it is never removed, and somebody has to be told."""


def judge_leftovers(situation: Situation) -> Verdict | None:
    """Whether anything has to be gone before the next step."""
    observation = situation.observation
    seen, current = observation.others, observation.current
    if current is not None and situation.living is None:
        seen = (*seen, current)
    if not seen:
        return None
    since = {one.name: one.deleting_since for one in seen if one.deleting_since is not None}
    stuck_at = {name: situation.after(moment, seconds=STUCK_SECONDS) for name, moment in since.items()}
    stuck = sorted(name for name, moment in stuck_at.items() if moment <= situation.now)
    if stuck:
        names = ", ".join(stuck)
        return Sweep(message=f"Waits for KubeRay to remove RayJob {names}. If it does not, see whether KubeRay runs.")
    return Sweep(until=min(stuck_at.values(), default=None))
