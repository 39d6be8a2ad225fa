"""What the next attempt of a stage does otherwise than the last one, by the class of its failure.

Asked twice: by `restart`, whether there is anything to change where the same again would fail again, and by
`progression`, when the attempt begins. Both see the same status, so both get the same answer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from trivium.api.failure_classes import FailureClass
from trivium.api.plan_status import Plan
from trivium.api.status import Attempt, Skip
from trivium.domain.fewer_workers import fewer_workers
from trivium.domain.rollback import choose_skip
from trivium.domain.situation import Situation, micro_batch_size


@dataclass(frozen=True, slots=True, kw_only=True)
class NextAttempt:
    """How the next attempt runs."""

    plan: Plan
    workers: int
    skip: Skip | None = None
    """Data to leave out from now on, and the checkpoint to go back to."""
    forgive_nodes: bool = False
    """Excluded nodes may be used again: there is no room elsewhere."""


def next_attempt(situation: Situation, plan: Plan) -> NextAttempt | str:
    """The next attempt of the stage that `plan` is of, or why the same again would be of no use."""
    last = situation.last_attempt
    same = NextAttempt(plan=plan, workers=plan.workers)
    stage = situation.stage
    if last is None or last.failure is None or stage is None or stage.name != last.stage:
        return same
    change = _CHANGES.get(last.failure.failure_class)
    found = same if change is None else change(situation, last, plan)
    return same if isinstance(found, str) and edit_is_pending(situation, plan) else found


def edit_is_pending(situation: Situation, plan: Plan) -> bool:
    """Whether the job asks for another number of workers, and has not been told that it cannot be followed."""
    asked = situation.job.spec.compute.workers
    return asked != plan.workers and not any(note.startswith(f"compute.workers: {asked}") for note in plan.notes)


def _smaller_micro_batch(situation: Situation, last: Attempt, plan: Plan) -> NextAttempt | str:
    same = NextAttempt(plan=plan, workers=plan.workers)
    if last.stage != "train":
        return same
    if situation.job.spec.recovery.on_out_of_memory == "fail":
        return "recovery.onOutOfMemory: fail."
    if last.micro_batch_size != micro_batch_size(plan, workers=last.workers):
        return same  # planned anew since, for another number of workers: that deserves its own try
    smaller = situation.planner.shrink(plan)
    if smaller is None:
        return "The micro-batch is already as small as it can be."
    return NextAttempt(plan=smaller, workers=smaller.workers)


def _rollback(situation: Situation, last: Attempt, plan: Plan) -> NextAttempt | str:
    if last.stage != "train":
        return "Only training can go back to an earlier checkpoint."
    stage = situation.stage
    skip = choose_skip(
        last,
        checkpoint=stage.checkpoint if stage is not None else None,
        skips=situation.status.skips,
        rule=situation.job.spec.recovery.on_divergence,
        now=situation.now,
    )
    return skip if isinstance(skip, str) else NextAttempt(plan=plan, workers=plan.workers, skip=skip)


def _fewer_workers(situation: Situation, last: Attempt, plan: Plan) -> NextAttempt | str:
    if last.stage == "train" and plan.workers < last.workers:
        return NextAttempt(plan=plan, workers=plan.workers)  # planned anew since, for fewer: that deserves its own try
    workers = fewer_workers(situation.job, plan, last) if last.stage == "train" else None
    if workers is not None:
        return NextAttempt(plan=plan, workers=workers)
    if situation.status.excluded_nodes:
        return NextAttempt(plan=plan, workers=plan.workers, forgive_nodes=True)
    if situation.job.spec.compute.min_workers is None:
        return "compute.minWorkers is not set, so it cannot go on with fewer workers."
    return f"There is no room for compute.minWorkers: {situation.job.spec.compute.min_workers} either."


_CHANGES: Mapping[FailureClass, Callable[[Situation, Attempt, Plan], NextAttempt | str]] = MappingProxyType(
    {
        FailureClass.OUT_OF_MEMORY: _smaller_micro_batch,
        FailureClass.DIVERGED: _rollback,
        FailureClass.UNSCHEDULABLE: _fewer_workers,
    }
)
"""Exactly the classes whose policy says needs_change."""
