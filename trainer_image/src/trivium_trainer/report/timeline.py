"""The timeline of one job: every start of every stage as a bar, what ended it, and the checkpoints between."""

from dataclasses import dataclass

from trivium_trainer.report.axis import Axis, time_axis
from trivium_trainer.report.line_chart import Mark
from trivium_trainer.report.run_report import RunReport, StageReport, Start
from trivium_trainer.report.wording import duration, moment

WIDTH, ROW, LEFT, RIGHT, TOP, BOTTOM = 860, 34, 76, 16, 8, 26
MAX_CHECKPOINTS = 200
"""Marks beyond this would merge into one line; the table counts them all."""

MAX_STARTS = 100
"""A job that was preempted for weeks must not fill the page with its restarts: only the newest are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartBar:
    """One start in viewBox units; the title is its full story for a pointer."""

    x: float
    y: float
    width: float
    height: float
    outcome: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRow:
    """The same start in the table below the drawing."""

    number: int
    stage: str
    began: str
    lasted: str
    steps: str
    world_size: str
    outcome: str
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    key: str
    bars: tuple[StartBar, ...]
    checkpoints: tuple[Mark, ...]
    ticks: tuple[Mark, ...]
    labels: tuple[Mark, ...]
    rows: tuple[StartRow, ...]
    left_out: int
    """Earlier starts beyond MAX_STARTS."""
    description: str
    width: int
    height: int
    bottom: int


def build_timeline(report: RunReport, *, key: str) -> Timeline | None:
    """None as long as nothing has started."""
    every_start = list(report.starts())
    starts = every_start[-MAX_STARTS:]
    if not starts:
        return None
    left_out = len(every_start) - len(starts)
    origin = min(start.began_at for _, start in starts)
    axis = time_axis(max(start.last_at for _, start in starts) - origin)
    stages = [stage for stage in report.stages if any(stage is shown for shown, _ in starts)]
    tops = {stage.name: TOP + index * ROW for index, stage in enumerate(stages)}
    bottom = TOP + len(stages) * ROW
    marks = [
        Mark(x=_x(axis, line.at - origin), y=tops[stage.name] + 4, label=f"checkpoint at step {line.step:,}")
        for stage in stages
        for line in stage.checkpoints[-MAX_CHECKPOINTS:]
        if line.at >= origin
    ]
    rows = tuple(_row(number, stage, start) for number, (stage, start) in enumerate(starts, start=left_out + 1))
    return Timeline(
        key=key,
        bars=tuple(_bar(axis, origin, tops[stage.name], stage, start) for stage, start in starts),
        checkpoints=tuple(marks),
        ticks=tuple(Mark(x=_x(axis, tick.value), y=bottom, label=tick.label) for tick in axis.ticks),
        labels=tuple(Mark(x=LEFT - 10, y=tops[stage.name] + ROW / 2, label=stage.name) for stage in stages),
        rows=rows,
        left_out=left_out,
        description=" ".join(f"{row.stage}, start {row.number}: {row.lasted}, {row.outcome}." for row in rows),
        width=WIDTH,
        height=bottom + BOTTOM,
        bottom=bottom,
    )


def _bar(axis: Axis, origin: float, top: float, stage: StageReport, start: Start) -> StartBar:
    left, right = _x(axis, start.began_at - origin), _x(axis, start.last_at - origin)
    return StartBar(
        x=left,
        y=top + 8,
        width=max(2.0, round(right - left, 1)),
        height=ROW - 14,
        outcome=start.outcome,
        title=f"{stage.name}: {duration(start.seconds)}, {start.outcome}",
    )


def _row(number: int, stage: StageReport, start: Start) -> StartRow:
    said = start.failure or {}
    known = [str(said[name]) for name in ("class", "reason") if said.get(name)]
    reason = ": ".join(part for part in (" / ".join(known), str(said.get("message") or "")) if part)
    if start.outcome == "interrupted":
        reason = "Cut off without a word (killed, evicted or out of memory on the node)."
    if start.outcome == "open":
        reason = "No end is recorded: still running, or cut off after the last line."
    return StartRow(
        number=number,
        stage=stage.name,
        began=moment(start.began_at),
        lasted=duration(start.seconds),
        steps=_steps(start),
        world_size=f"{start.run.world_size:,}" if start.run is not None else "",
        outcome=start.outcome,
        reason=reason,
        remedy=str(said.get("remedy") or ""),
    )


def _steps(start: Start) -> str:
    if start.first_step is None or start.last_step is None:
        return ""
    return f"{start.first_step:,} to {start.last_step:,}"


def _x(axis: Axis, seconds: float) -> float:
    return round(LEFT + axis.position(max(0.0, seconds)) * (WIDTH - LEFT - RIGHT), 1)
