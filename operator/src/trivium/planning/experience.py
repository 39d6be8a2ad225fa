"""What finished jobs of this cluster teach: speed, start, time of a save, failures. Pure; read from their status.

There is no database: a finished stage keeps its plan and its outcome, and whoever plans passes the jobs in (reconcile
from its store). Only what the operator measured itself is believed, and only where it is plausible.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from pydantic import ValidationError

from trivium.api.plan_status import Plan, PlanOutcome

_MOST_JOBS = 16
"""The newest of these many: machines and images change."""
_SAME_SIZE = 1.1
_SIMILAR_SIZE = 2.0
_SIMILAR_RANKS = 4.0
_SAME_CHOICES = (
    "precision",
    "attention",
    "liger",
    "zero_stage",
    "offload",
    "gradient_checkpointing",
    "packing",
)
"""What changes the speed of a rank besides the model's size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedStage:
    """One finished training stage: what was planned, and in `plan.outcome` what came of it."""

    kind: str
    adapter: bool
    ended_at: str
    """As in status; RFC 3339 in UTC, so that texts sort like times."""
    plan: Plan
    outcome: PlanOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """A value and the jobs it comes from."""

    value: float
    jobs: int
    same_shape: bool
    """Else of a similar one: model size within a factor of two, ranks within four."""
    lowest: float
    highest: float

    @property
    def source(self) -> str:
        """`learned from 3 finished jobs of this shape`."""
        jobs = "1 finished job" if self.jobs == 1 else f"{self.jobs} finished jobs"
        return f"learned from {jobs} of {'this' if self.same_shape else 'a similar'} shape"

    def spread(self, show: Callable[[float], str]) -> str:
        """`38% to 44%`, or one value where all are alike."""
        lowest, highest = show(self.lowest), show(self.highest)
        return lowest if lowest == highest else f"{lowest} to {highest}"


def read_finished(manifest: Mapping[str, Any]) -> FinishedStage | None:
    """The training stage of a job's manifest as a store holds it; None if it has not finished, or says nothing."""
    status = manifest.get("status") or {}
    stage = next((one for one in status.get("stages") or () if one.get("name") == "train"), None)
    raw = (stage or {}).get("plan") or {}
    if stage is None or stage.get("state") != "Succeeded" or not raw.get("outcome"):
        return None
    try:
        plan = Plan.model_validate(raw)
    except ValidationError:
        return None  # another version's: it teaches nothing, and is no reason to plan nothing
    if plan.outcome is None:
        return None
    return FinishedStage(
        kind=str(manifest["kind"]),
        adapter=(manifest.get("spec") or {}).get("adapter") is not None,
        ended_at=str(status.get("endedAt") or ""),
        plan=plan,
        outcome=plan.outcome,
    )


def newest_first(manifests: Iterable[Mapping[str, Any]], *, profile: str) -> tuple[FinishedStage, ...]:
    """The finished stages of jobs that ran on a profile, the last to end first."""
    ended = [one for one in manifests if _ran_on(one, profile)]
    ended.sort(key=lambda one: str((one.get("status") or {}).get("endedAt") or ""), reverse=True)
    # Reading is what costs: only as many as can matter for any question.
    finished = (read_finished(one) for one in ended[: 16 * _MOST_JOBS])
    return tuple(one for one in finished if one is not None)


def _ran_on(manifest: Mapping[str, Any], profile: str) -> bool:
    status = manifest.get("status") or {}
    plans = (stage.get("plan") or {} for stage in status.get("stages") or ())
    return bool(status.get("endedAt")) and any(one.get("profile") == profile and one.get("outcome") for one in plans)


def learn_speed(finished: Sequence[FinishedStage], *, plan: Plan, kind: str, adapter: bool) -> Learned | None:
    """Model FLOPs per second and rank that jobs of this shape reached; of a similar shape if there are none.

    Saving, evaluation and sampling are in it, so that it predicts the time of a whole run.
    """

    def matches(one: FinishedStage, size: float, ranks: float) -> bool:
        return (one.kind, one.adapter) == (kind, adapter) and _alike(one.plan, plan, size=size, ranks=ranks)

    return _nearest(finished, matches, _flops_per_second)


def learn_start(finished: Sequence[FinishedStage], *, plan: Plan) -> Learned | None:
    """Seconds from an attempt's decision to its first step, on this profile with models of about this size."""
    return _nearest(finished, lambda one, size, ranks: _near(one.plan, plan, size, ranks), _start_seconds)


def learn_save(finished: Sequence[FinishedStage], *, plan: Plan, adapter: bool) -> Learned | None:
    """Seconds that a checkpoint of such a model kept training waiting."""

    def matches(one: FinishedStage, size: float, ranks: float) -> bool:
        return one.adapter == adapter and one.plan.zero_stage == plan.zero_stage and _near(one.plan, plan, size, ranks)

    return _nearest(finished, matches, _save_seconds)


def count_failures(finished: Sequence[FinishedStage]) -> tuple[int, float]:
    """(interruptions, rank-seconds) of everything that ran on this profile."""
    interruptions = sum(one.outcome.interruptions for one in finished)
    held = sum((one.outcome.seconds + (one.outcome.start_seconds or 0.0)) * ranks_of(one.plan) for one in finished)
    return interruptions, held


def ranks_of(plan: Plan) -> int:
    """Ranks of a plan at full size: GPUs, or on CPU workers."""
    return plan.gpus or plan.workers


def _flops_per_second(one: FinishedStage) -> float | None:
    plan, outcome = one.plan, one.outcome
    if not plan.flops_per_step or not outcome.seconds or not outcome.steps:
        return None
    return plan.flops_per_step * outcome.steps / (outcome.seconds * ranks_of(plan))


def _start_seconds(one: FinishedStage) -> float | None:
    return one.outcome.start_seconds


def _save_seconds(one: FinishedStage) -> float | None:
    return one.outcome.save_seconds


def _nearest(
    finished: Sequence[FinishedStage],
    matches: Callable[[FinishedStage, float, float], bool],
    value: Callable[[FinishedStage], float | None],
) -> Learned | None:
    """The median over the newest jobs of the same shape, else of a similar one; undisturbed runs where there are."""
    for same, size, ranks in ((True, _SAME_SIZE, 1.0), (False, _SIMILAR_SIZE, _SIMILAR_RANKS)):
        chosen = [one for one in finished if matches(one, size, ranks)]
        chosen = [one for one in chosen if not one.outcome.interruptions] or chosen
        numbers = [number for one in chosen if (number := value(one))][:_MOST_JOBS]
        if numbers:
            return Learned(
                value=median(numbers), jobs=len(numbers), same_shape=same, lowest=min(numbers), highest=max(numbers)
            )
    return None


def _alike(one: Plan, planned: Plan, *, size: float, ranks: float) -> bool:
    """Whether a finished stage ran as the new one is planned; whether it packs is not known before the inspection."""
    names = [name for name in _SAME_CHOICES if name != "packing" or not planned.provisional]
    return _near(one, planned, size, ranks) and all(getattr(one, name) == getattr(planned, name) for name in names)


def _near(one: Plan, other: Plan, size: float, ranks: float) -> bool:
    return _within(one.parameters, other.parameters, size) and _within(ranks_of(one), ranks_of(other), ranks)


def _within(one: float, other: float, factor: float) -> bool:
    return min(one, other) > 0 and max(one, other) <= factor * min(one, other)
