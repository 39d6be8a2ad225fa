"""What one status write says to the counters: pure, from the old status and the new one."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from trivium.api.conditions import ConditionType
from trivium.api.status import Attempt, JobStatus
from trivium.domain.time_spent import GOODPUT as GOODPUT_KIND
from trivium.domain.time_spent import held_since, queued_seconds
from trivium.handlers.metrics import families as f
from trivium.ports import ObjectKey

_REFUSING = frozenset({ConditionType.ACCEPTED, ConditionType.PLANNED})


class Change(NamedTuple):
    """Add `amount` to a counter, or observe it in a histogram."""

    family: f.Family
    labels: tuple[str, ...]
    amount: float


def changes_between(key: ObjectKey, *, old: JobStatus, new: JobStatus) -> Iterator[Change]:
    """In no particular order. Amounts are never negative: a clock that jumps back measures nothing."""
    kind = key.kind
    if new.phase != old.phase:
        yield Change(f.TRANSITIONS, (kind, new.phase.value), 1)
    yield from _refusals(kind, old, new)
    yield from _time(key, old, new)
    before = {attempt.number: attempt for attempt in old.attempts}
    earlier: Attempt | None = None
    for attempt in new.attempts:
        yield from _attempt(key, before.get(attempt.number), attempt, earlier)
        earlier = attempt
    if old.attempts:
        yield from _detection(old, new)
    yield from _first_step(kind, old, new)
    yield from _checkpoints(kind, old, new)


def _refusals(kind: str, old: JobStatus, new: JobStatus) -> Iterator[Change]:
    known = {(c.type, c.reason) for c in old.conditions if c.status == "False"}
    for condition in new.conditions:
        refused = condition.type in _REFUSING and condition.status == "False"
        if refused and (condition.type, condition.reason) not in known:
            yield Change(f.REFUSALS, (kind, condition.reason), 1)


def _time(key: ObjectKey, old: JobStatus, new: JobStatus) -> Iterator[Change]:
    place = (key.namespace, key.kind)
    yield from _grown(f.GPU_SECONDS, place, old.gpu_seconds, new.gpu_seconds)
    yield from _grown(f.COST, place, old.cost or 0.0, new.cost or 0.0)
    for cause, seconds in new.seconds.items():
        if cause == GOODPUT_KIND:
            yield from _grown(f.GOODPUT_SECONDS, place, old.seconds.get(cause, 0.0), seconds)
        else:
            yield from _grown(f.BADPUT_SECONDS, (*place, cause), old.seconds.get(cause, 0.0), seconds)


def _grown(family: f.Family, labels: tuple[str, ...], old: float, new: float) -> Iterator[Change]:
    if new > old:
        yield Change(family, labels, new - old)


def _attempt(key: ObjectKey, old: Attempt | None, new: Attempt, earlier: Attempt | None) -> Iterator[Change]:
    """What happened to one attempt, which may have come and gone in one write."""
    failed_before = earlier.failure if earlier is not None and earlier.stage == new.stage else None
    if old is None and failed_before is not None:
        yield Change(f.RESTARTS, (key.kind, failed_before.failure_class.value), 1)
    preemptions = new.preemptions - (old.preemptions if old is not None else 0)
    restarts = new.restarts - (old.restarts if old is not None else 0) - preemptions
    yield from _grown(f.RESTARTS, (key.kind, "Preempted"), 0, preemptions)
    yield from _grown(f.RESTARTS, (key.kind, f.INSIDE), 0, restarts)
    if new.queued and new.admitted_at is not None and (old is None or old.admitted_at is None):
        yield Change(f.QUEUE_WAIT, (key.namespace, key.kind), queued_seconds(new))
    if new.running_at is not None and (old is None or old.running_at is None):
        since = held_since(new)
        if since is not None:
            yield Change(f.START, (key.kind, new.stage), _seconds(since, new.running_at))
        if failed_before is not None and earlier is not None and earlier.ended_at is not None:
            labels = (key.kind, failed_before.failure_class.value)
            yield Change(f.RESTART, labels, _seconds(earlier.ended_at, new.running_at))
    if new.ended_at is not None and (old is None or old.ended_at is None):
        outcome = new.failure.failure_class.value if new.failure is not None else new.outcome or "Stopped"
        yield Change(f.ATTEMPTS_ENDED, (key.kind, new.stage, outcome), 1)


def _detection(old: JobStatus, new: JobStatus) -> Iterator[Change]:
    """How long a failure of the attempt that lived went unnoticed."""
    living = old.attempts[-1]
    now = next((one for one in new.attempts if one.number == living.number), None)
    if living.ended_at is not None or now is None or now.ended_at is None or now.failure is None:
        return
    if living.running_at is None or old.progress is None or old.progress.updated_at is None:
        return  # it never spoke
    heard = max(living.running_at, old.progress.updated_at)
    yield Change(f.DETECT, (now.failure.failure_class.value,), _seconds(heard, now.ended_at))


def _first_step(kind: str, old: JobStatus, new: JobStatus) -> Iterator[Change]:
    """Once a job: its first training attempt, from scratch, shows a first step."""
    training = [attempt for attempt in new.attempts if attempt.stage == "train"]
    if len(training) != 1 or training[0].first_step or new.progress is None or not new.progress.step:
        return
    stepped_before = old.stage == "train" and old.progress is not None and old.progress.step > 0
    if not stepped_before and new.stage == "train" and new.started_at and new.progress.updated_at:
        yield Change(f.FIRST_STEP, (kind,), _seconds(new.started_at, new.progress.updated_at))


def _checkpoints(kind: str, old: JobStatus, new: JobStatus) -> Iterator[Change]:
    before = {stage.name: stage for stage in old.stages}
    for stage in new.stages:
        known = before.get(stage.name)
        step = known.checkpoint.step if known is not None and known.checkpoint is not None else 0
        if stage.checkpoint is not None and stage.checkpoint.step > step:
            # Reports are minutes apart from checkpoints, so several between two of them are rare; kept names them.
            yield Change(f.CHECKPOINTS, (kind,), max(1, sum(one > step for one in stage.checkpoint.kept)))
        outcome = stage.plan.outcome if stage.plan is not None else None
        measured = known.plan.outcome if known is not None and known.plan is not None else None
        if measured is None and outcome is not None and outcome.save_seconds is not None:
            yield Change(f.CHECKPOINT_BLOCKED, (kind,), outcome.save_seconds)


def _seconds(since: datetime, until: datetime) -> float:
    return max(0.0, (until - since).total_seconds())
