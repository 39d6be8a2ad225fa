"""The plan's figures beside what was measured, with the error. The plan is read leniently and never obeyed."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean

from trivium_trainer.report.memory import measured_memory, parse_quantity, planned_memory
from trivium_trainer.report.run_report import StageReport
from trivium_trainer.report.time_spent import seconds_by_kind
from trivium_trainer.report.wording import duration, figure, percent, size

BEFORE_TRAINING = ("start", "download", "prepare", "restore")


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeRow:
    """One figure of the plan. `error`: measured against planned, "" where one of them is missing."""

    name: str
    planned: str
    measured: str
    error: str


def compare_with_plan(stage: StageReport) -> tuple[OutcomeRow, ...]:
    """Start, step, whole training, memory and GPU-hours; what neither side knows is left out."""
    plan, spent = stage.block("plan"), seconds_by_kind(stage)
    starts = [line.first_step_seconds for line in stage.times if line.first_step_seconds is not None]
    # `step` holds the steps that counted, each once: as many as the newest one's number.
    steps = stage.steps[-1].step if stage.steps else 0
    training = sum(seconds for kind, seconds in spent.items() if kind not in BEFORE_TRAINING)
    gpus = parse_quantity(plan.get("gpus")) or 0
    hours = stage.seconds * gpus / 3600
    figures: list[tuple[str, float | None, float | None, Callable[[float | None], str]]] = [
        ("start to first step", parse_quantity(plan.get("startSeconds")), fmean(starts) if starts else None, duration),
        (
            "one step",
            parse_quantity(plan.get("estimatedStepSeconds")),
            spent["step"] / steps if steps and "step" in spent else None,
            duration,
        ),
        (
            "training",
            parse_quantity(plan.get("estimatedSeconds")),
            training if stage.outcome == "complete" and training else None,
            duration,
        ),
        ("memory of a rank", planned_memory(stage).get("needed"), measured_memory(stage), size),
        ("GPU-hours", parse_quantity(plan.get("estimatedGPUHours")), hours if gpus else None, figure),
    ]
    return tuple(_row(*one) for one in figures if one[1] or one[2])


def _row(name: str, planned: float | None, measured: float | None, words: Callable[[float | None], str]) -> OutcomeRow:
    error = ""
    if planned and measured:
        off = measured / planned - 1
        error = f"{percent(abs(off))} {'more' if off > 0 else 'less'}" if abs(off) >= 0.005 else "as planned"
    return OutcomeRow(name=name, planned=words(planned), measured=words(measured), error=error)
