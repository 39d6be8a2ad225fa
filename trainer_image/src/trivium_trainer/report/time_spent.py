"""Where a stage's time went: what moved the training forward, and what did not, by kind."""

from dataclasses import dataclass

from trivium_trainer.report.run_report import StageReport
from trivium_trainer.report.wording import duration, percent

KINDS = {
    "step": "training steps",
    "wasted": "steps trained again after a restart",
    "start": "starting and restarting",
    "download": "downloading",
    "prepare": "preparing data",
    "compile": "compiling",
    "restore": "loading checkpoints",
    "save": "saving checkpoints",
    "evaluate": "held-out losses",
    "sample": "sample answers",
    "finish": "publishing the model",
}
"""Every kind of progress.SecondsKind, in the order of the table: goodput first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeSpent:
    summary: str
    rows: tuple[tuple[str, str, str], ...]
    """What for, how long, share."""


def seconds_by_kind(stage: StageReport) -> dict[str, float]:
    """Seconds over all attempts that said what they did; {} for a run of an older trainer."""
    spent: dict[str, float] = {}
    for line in stage.times:
        for kind, seconds in line.seconds.items():
            spent[kind] = spent.get(kind, 0.0) + seconds
    return spent


def describe_time(stage: StageReport) -> TimeSpent | None:
    """None where nothing was counted."""
    spent = {kind: seconds for kind, seconds in seconds_by_kind(stage).items() if seconds > 0}
    total = sum(spent.values())
    if total <= 0:
        return None
    good = percent(spent.get("step", 0.0) / total)
    order = [*KINDS, *sorted(spent.keys() - KINDS)]
    return TimeSpent(
        summary=f"{good} of {duration(total)} in attempts went to training steps that counted (goodput).",
        rows=tuple(
            (KINDS.get(kind, kind), duration(spent[kind]), percent(spent[kind] / total))
            for kind in order
            if kind in spent
        ),
    )
