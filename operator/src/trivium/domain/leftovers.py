"""Never two living attempts: a RayJob that no living attempt accounts for goes, and all else waits for that."""

from trivium.domain.situation import Situation
from trivium.domain.verdict import Sweep, Verdict


def judge_leftovers(situation: Situation) -> Verdict | None:
    """Whether anything has to be gone before the next step."""
    ended = situation.living is None and situation.observation.current is not None
    return Sweep() if ended or situation.observation.others else None
