"""Events from the difference between two statuses, published after the write that made the difference has succeeded."""

from trivium.api.conditions import ConditionType
from trivium.api.plan_status import Plan
from trivium.api.status import Attempt, JobStatus
from trivium.ports import Cluster, Event, ObjectKey

_MAX_MESSAGE = 1024  # events.k8s.io cuts notes there
_STUCK_IN_QUEUE = frozenset({"Inadmissible", "ExceedsMaxQuota", "Deactivated", "NoWorkload"})
"""Reasons of QuotaReserved=False that no waiting helps against: somebody has to act, so somebody is told at once."""
_ANNOUNCED = {
    ConditionType.QUOTA_RESERVED: "QuotaReserved",
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
    told = [
        *_condition_refusals(old, new),
        *_stuck_in_queue(old, new),
        *_planned(old, new),
        *_ends(old, new),
        *_changes(old, new),
        *_begins(old, new),
        *_conditions(old, new),
    ]
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


def _stuck_in_queue(old: JobStatus, new: JobStatus) -> _Told:
    """Once each time that the reason becomes one of these; how often its words change is Kueue's affair."""
    known = {c.reason for c in old.conditions if c.type == ConditionType.QUOTA_RESERVED}
    return [
        ("Warning", c.reason, c.message)
        for c in new.conditions
        if c.type == ConditionType.QUOTA_RESERVED and c.status == "False"
        if c.reason in _STUCK_IN_QUEUE and c.reason not in known
    ]


def _planned(old: JobStatus, new: JobStatus) -> _Told:
    before = {stage.name: _intention(stage.plan) for stage in old.stages}
    return [
        ("Normal", "Planned", _say_plan(stage.name, stage.plan))
        for stage in new.stages
        if stage.name != "prepare" and stage.plan is not None and not stage.plan.provisional
        if _intention(stage.plan) != before.get(stage.name)
    ]


def _intention(plan: Plan | None) -> Plan | None:
    """A plan without what came of it: that is no new plan."""
    return None if plan is None else plan.model_copy(update={"outcome": None})


def _say_plan(stage: str, plan: Plan) -> str:
    workers = f"{plan.workers} worker" + "s" * (plan.workers != 1)
    gpus = f", {plan.gpus} GPU" + "s" * (plan.gpus != 1) if plan.gpus else ""
    return f"Stage {stage}: {workers}{gpus}, {plan.total_steps} steps"


def _ends(old: JobStatus, new: JobStatus) -> _Told:
    """What became of attempts that were known, and of those that came and went in one write."""
    known = {attempt.number: attempt for attempt in old.attempts}
    told: _Told = []
    for attempt in new.attempts:
        before = known.get(attempt.number)
        if before is not None and attempt.restarts > before.restarts:
            count = attempt.restarts - before.restarts
            told.append(
                ("Warning", "RestartedInside", f"Attempt {attempt.number} restarted its workers {count} times.")
            )
        if attempt.ended_at is not None and (before is None or before.ended_at is None):
            told.append(_end(attempt))
    return told


def _changes(old: JobStatus, new: JobStatus) -> _Told:
    """What the next attempt does otherwise."""
    told: _Told = [
        (
            "Warning",
            "RolledBack",
            f"It diverged: on from step {skip.rollback_to}, without {skip.steps} data steps from {skip.data_step}.",
        )
        for skip in new.skips[len(old.skips) :]
    ]
    known = {one.node for one in old.excluded_nodes}
    told += [
        ("Warning", "NodeExcluded", f"The next attempts keep away from node {one.node} ({one.reason}).")
        for one in new.excluded_nodes
        if one.node not in known
    ]
    if old.excluded_nodes and not new.excluded_nodes:
        names = ", ".join(one.node for one in old.excluded_nodes)
        told.append(("Warning", "NodesForgiven", f"There is no room elsewhere: {names} may be used again."))
    return told


def _begins(old: JobStatus, new: JobStatus) -> _Told:
    known = {attempt.number for attempt in old.attempts}
    return [
        ("Normal", "AttemptStarted", _begin(attempt, new)) for attempt in new.attempts if attempt.number not in known
    ]


def _begin(attempt: Attempt, status: JobStatus) -> str:
    wanted = status.plan.workers if status.plan is not None else attempt.workers
    fewer = f" with {attempt.workers} of {wanted} workers" if attempt.workers < wanted else ""
    queue = f" It waits in queue {attempt.queue}." if attempt.queue else ""
    return f"Attempt {attempt.number} of stage {attempt.stage} begins{fewer}.{queue}"


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
