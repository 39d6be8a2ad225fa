"""Kueue: which queue an attempt waits in, and what it means that the queue takes its quota back.

    created suspended ──Kueue──> unsuspended ──> runs ──Kueue: suspend──> RayCluster gone ──> the same RayJob runs again
    attempt 4: queued            admitted_at           attempt 4 Preempted; attempt 5, same RayJob: queued

The RayJob is never edited and never unsuspended by us; nothing runs against the clock while it waits.
"""

from trivium.api import ComputeProfile, Job
from trivium.api.conditions import ConditionType, Reason
from trivium.api.failure_reasons import FailureReason
from trivium.api.status import Phase, StageName
from trivium.domain.failure_of import conclude, own_failure
from trivium.domain.next_attempt import edit_is_pending
from trivium.domain.profile import resolve_profile
from trivium.domain.ray_job_state import AttemptState
from trivium.domain.situation import Situation
from trivium.domain.verdict import End, Hold, QueuePlace, Rerun, Verdict

_ALIVE = frozenset({AttemptState.QUEUED, AttemptState.STARTING, AttemptState.RUNNING})
"""In the queue, or already running again: then the wait went unseen."""


def resolve_place(job: Job, profile: ComputeProfile, *, stage: StageName) -> QueuePlace | str:
    """The queue and priority of the next attempt of a stage, or why the profile does not allow them.

    A profile for CPU work has queues of its own: there the job's wish counts only if it is among them.
    """
    queues, priorities = profile.spec.queue, profile.spec.priority
    compute, name = job.spec.compute, profile.metadata.name
    strict = stage == "train"
    queue = _choose(compute.queue, queues.allowed if queues else (), strict=strict)
    if queue is None:
        return _explain("queue", compute.queue, name, queues.allowed if queues else ())
    priority = _choose(compute.priority, priorities.allowed if priorities else (), strict=strict)
    if priority is None:
        return _explain("priority", compute.priority, name, priorities.allowed if priorities else ())
    if queues is None:
        return QueuePlace()
    return QueuePlace(
        queue=queue or queues.default,
        priority=priority or (priorities.default if priorities is not None and priorities.default else ""),
    )


def _choose(wanted: str | None, allowed: tuple[str, ...], *, strict: bool) -> str | None:
    """What is wanted and allowed; empty where the profile's default counts; None where the wish is refused."""
    if wanted is None:
        return ""
    if wanted in allowed:
        return wanted
    return None if strict else ""


def _explain(field: str, wanted: str | None, profile: str, allowed: tuple[str, ...]) -> str:
    known = ", ".join(allowed[:20])
    way_out = f"Set it to one of {known}, or remove it." if allowed else "Remove it."
    return f"spec.compute.{field}: {wanted} is not allowed by ComputeProfile {profile}. {way_out}"


def not_allowed(message: str) -> Hold:
    """Wait for an edit of the job or of its profile."""
    return Hold(
        phase=Phase.PENDING,
        condition=ConditionType.PLANNED,
        status="False",
        reason=Reason.NOT_ALLOWED_BY_PROFILE,
        message=message,
    )


def judge_moved(situation: Situation) -> Verdict | None:
    """Whether an attempt that still waits is to wait otherwise: its job was moved to another queue, or made smaller.

    Nothing has run yet, so its end costs nothing but its place in the queue.
    """
    attempt, stage = situation.living, situation.stage
    waits = attempt is not None and attempt.queued and attempt.admitted_at is None and not attempt.ray_cluster
    if attempt is None or stage is None or stage.plan is None or not waits:
        return None
    if situation.observation.state is not AttemptState.QUEUED:
        return None
    profile = resolve_profile(situation, stage=attempt.stage)
    if isinstance(profile, Hold):
        return None
    place = resolve_place(situation.job, profile, stage=attempt.stage)
    here = QueuePlace(queue=attempt.queue, priority=attempt.priority)
    # From one queue of the profile to another: the namespace's own default is nobody's wish.
    moved = isinstance(place, QueuePlace) and place != here and bool(place.queue and here.queue)
    resized = attempt.stage == "train" and edit_is_pending(situation, stage.plan)
    return End(outcome="Stopped") if moved or resized else None


def judge_requeued(situation: Situation) -> Verdict | None:
    """Whether the queue has taken the quota back from the living attempt."""
    attempt, current = situation.living, situation.observation.current
    if attempt is None or current is None or current.state not in _ALIVE:
        return None
    # Until KubeRay has taken the old RayCluster down its name stays, and so may the trainer's last reports come.
    if not attempt.ray_cluster or current.ray_cluster == attempt.ray_cluster:
        return None
    if attempt.outcome is not None:
        return conclude(situation, attempt)
    where = f"Queue {attempt.queue}" if attempt.queue else "The queue"
    message = f"{where} took the quota back for other work; the same RayJob runs again when there is room."
    return Rerun(failure=own_failure(FailureReason.QUOTA_TAKEN, message))
