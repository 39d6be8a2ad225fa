"""Kueue: which queue an attempt waits in, and what it means that the queue takes its quota back.

    created suspended ──Kueue──> unsuspended ──> runs ──Kueue: suspend──> RayCluster gone ──> the same RayJob runs again
    attempt 4: queued            admitted_at           attempt 4 Preempted; attempt 5, same RayJob: queued
                                                       attempt 4 Infrastructure; attempt 5, if any, is a new RayJob

The RayJob is never edited and never unsuspended by us; nothing runs against the clock while it waits. What Kueue thinks
is read from its Workload, where there is one; without it the RayJob's suspension says all that a decision needs.
"""

from datetime import datetime

from trivium.api import ComputeProfile, Job
from trivium.api.conditions import ConditionType, Reason
from trivium.api.failure_classes import FAILURE_POLICIES
from trivium.api.failure_reasons import FailureReason
from trivium.api.status import Attempt, Failure, Phase, StageName
from trivium.domain.budget import is_counted
from trivium.domain.eviction import given_up_for
from trivium.domain.failure_of import conclude, failure_of_eviction, own_failure
from trivium.domain.next_attempt import edit_is_pending
from trivium.domain.profile import resolve_profile
from trivium.domain.ray_job_state import AttemptState
from trivium.domain.situation import Situation
from trivium.domain.verdict import End, Hold, QueuePlace, Rerun, Verdict

_ALIVE = frozenset({AttemptState.QUEUED, AttemptState.STARTING, AttemptState.RUNNING})
"""In the queue, or already running again: then the wait went unseen."""
WORKLOAD_GRACE_SECONDS = 60.0
"""Kueue makes the Workload of a RayJob within a second of seeing it; a minute outlasts its restart."""
_UNSTARTABLE = {
    "FailedToStart": FailureReason.WORKLOAD_FAILED_TO_START,
    "OutOfSync": FailureReason.WORKLOAD_OUT_OF_SYNC,
}
"""Reasons of a finished Workload whose RayJob has not run."""


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
    if not queue and queues.default is None:
        return f"spec.compute.queue: ComputeProfile {name} requires one. Set it to one of {_list(queues.allowed)}."
    return QueuePlace(
        queue=queue or queues.default or "",
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
    way_out = f"Set it to one of {_list(allowed)}, or remove it." if allowed else "Remove it."
    return f"spec.compute.{field}: {wanted} is not allowed by ComputeProfile {profile}. {way_out}"


def _list(allowed: tuple[str, ...]) -> str:
    return ", ".join(allowed[:20])


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
    taken = _why_taken(situation, attempt)
    if attempt.outcome is not None:
        end = conclude(situation, attempt)
        if end.failure != taken:
            return end
    # What costs a restart goes the way of every failure: budget, pause, away from the node, with a new RayJob.
    return End(outcome="Failed", failure=taken) if is_counted(taken) or not _is_retried(taken) else Rerun(failure=taken)


def _why_taken(situation: Situation, attempt: Attempt) -> Failure:
    """Kueue's words, or that nobody knows: the quota may be back before its Workload was read."""
    known = failure_of_eviction(situation.observation.workload, situation.observation.evidence)
    if known is not None:
        return known
    where = f"Queue {attempt.queue}" if attempt.queue else "The queue"
    message = f"{where} took the quota back for other work; the same RayJob runs again when there is room."
    return own_failure(FailureReason.QUOTA_TAKEN, message)


def _is_retried(failure: Failure) -> bool:
    return FAILURE_POLICIES[failure.failure_class].retried


def judge_never_admitted(situation: Situation) -> Verdict | None:
    """Whether the queue will never start the attempt that waits in it: it cannot, or it has given up."""
    attempt, workload = situation.living, situation.observation.workload
    waits = attempt is not None and not attempt.ray_cluster and situation.observation.state is AttemptState.QUEUED
    if not waits or workload is None:
        return None
    if workload.finished is not None and workload.finished.reason in _UNSTARTABLE:
        message = f"Kueue will not start the RayJob: {workload.finished}"
        return End(outcome="Failed", failure=own_failure(_UNSTARTABLE[workload.finished.reason], message))
    if workload.active or given_up_for(workload) is None:
        return None
    return End(outcome="Failed", failure=failure_of_eviction(workload, situation.observation.evidence))


def workload_due_at(situation: Situation) -> datetime | None:
    """When a RayJob that waits should have a Workload at the latest; None if it has one, or does not wait."""
    attempt, current = situation.living, situation.observation.current
    if attempt is None or current is None or current.created_at is None or situation.observation.workload is not None:
        return None
    if situation.observation.state is not AttemptState.QUEUED or attempt.ray_cluster:
        return None
    return situation.after(max(current.created_at, attempt.started_at), seconds=WORKLOAD_GRACE_SECONDS)
