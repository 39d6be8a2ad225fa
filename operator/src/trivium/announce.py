"""Events from the difference between two statuses, published after the write that made the difference has succeeded."""

from trivium.api.conditions import ConditionType
from trivium.api.status import Attempt, JobStatus
from trivium.ports import Cluster, Event, ObjectKey

_MAX_MESSAGE = 1024  # events.k8s.io cuts notes there
_ANNOUNCED = {
    ConditionType.SUSPENDED: "Suspended",
    ConditionType.SUCCEEDED: "Succeeded",
    ConditionType.FAILED: "Failed",
}
"""Conditions whose becoming true is news of its own; the others show in the attempts' events."""


async def announce(cluster: Cluster, key: ObjectKey, *, uid: str, old: JobStatus, new: JobStatus) -> None:
    """Publish what happened between two statuses of one job."""
    for event in events_between(key, uid=uid, old=old, new=new):
        await cluster.emit(event)


def events_between(key: ObjectKey, *, uid: str, old: JobStatus, new: JobStatus) -> tuple[Event, ...]:
    """Pure: one event per transition, in the order in which they happened."""
    told = [*_condition_refusals(old, new), *_planned(old, new), *_attempts(old, new), *_conditions(old, new)]
    return tuple(
        Event(regarding=key, uid=uid, type=kind, reason=reason, message=message[:_MAX_MESSAGE])
        for kind, reason, message in told
    )


_Told = list[tuple[str, str, str]]


def _condition_refusals(old: JobStatus, new: JobStatus) -> _Told:
    """Accepted, Planned and UpstreamReady that turned false, or are false for another reason now."""
    known = {c.type: (c.status, c.reason) for c in old.conditions}
    watched = {ConditionType.ACCEPTED, ConditionType.PLANNED, ConditionType.UPSTREAM_READY}
    return [
        ("Normal" if c.reason == "UpstreamNotFinished" else "Warning", c.reason, c.message)
        for c in new.conditions
        if c.type in watched and c.status == "False" and known.get(c.type) != (c.status, c.reason)
    ]


def _planned(old: JobStatus, new: JobStatus) -> _Told:
    before = {stage.name: stage.plan for stage in old.stages}
    return [
        (
            "Normal",
            "Planned",
            f"Stage {stage.name}: {stage.plan.workers} workers, {stage.plan.gpus} GPUs, {stage.plan.total_steps} steps",
        )
        for stage in new.stages
        if stage.name != "prepare" and stage.plan is not None and not stage.plan.provisional
        if stage.plan != before.get(stage.name)
    ]


def _attempts(old: JobStatus, new: JobStatus) -> _Told:
    known = {attempt.number: attempt for attempt in old.attempts}
    told: _Told = []
    for attempt in new.attempts:
        before = known.get(attempt.number)
        if before is None:
            told.append(("Normal", "AttemptStarted", f"Attempt {attempt.number} of stage {attempt.stage} begins."))
        if before is not None and attempt.restarts > before.restarts:
            count = attempt.restarts - before.restarts
            told.append(
                ("Warning", "RestartedInside", f"Attempt {attempt.number} restarted its workers {count} times.")
            )
        if attempt.ended_at is not None and (before is None or before.ended_at is None):
            told.append(_end(attempt))
    return told


def _end(attempt: Attempt) -> tuple[str, str, str]:
    if attempt.failure is None:
        outcome = "is complete" if attempt.outcome == "Complete" else "stopped as it was told to"
        return "Normal", "AttemptEnded", f"Attempt {attempt.number} of stage {attempt.stage} {outcome}."
    failure = attempt.failure
    message = f"Attempt {attempt.number}: {failure.reason}. {failure.message} {failure.remedy}"
    return "Warning", failure.failure_class.value, message


def _conditions(old: JobStatus, new: JobStatus) -> _Told:
    was_true = {c.type for c in old.conditions if c.status == "True"}
    return [
        ("Warning" if c.type == ConditionType.FAILED else "Normal", _ANNOUNCED[ConditionType(c.type)], c.message)
        for c in new.conditions
        if c.status == "True" and c.type in _ANNOUNCED and c.type not in was_true
    ]
