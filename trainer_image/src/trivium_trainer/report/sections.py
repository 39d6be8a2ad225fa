"""One section per job: curves, evaluation, attempts, checkpoints, memory, data, environment, configuration."""

import json
from dataclasses import dataclass
from statistics import median
from typing import Any

from trivium_trainer.report.bars import BarChart, histogram
from trivium_trainer.report.cards import Card
from trivium_trainer.report.curves import plan_curves
from trivium_trainer.report.data_table import SourceRow, describe_data, describe_derived, list_sources
from trivium_trainer.report.line_chart import Drawing, draw
from trivium_trainer.report.memory import chart_memory, planned_breakdown
from trivium_trainer.report.outcome import OutcomeRow, compare_with_plan
from trivium_trainer.report.run_report import RunReport, StageReport
from trivium_trainer.report.samples import shorten
from trivium_trainer.report.series import Points
from trivium_trainer.report.summary import HeldOut, summarize_run
from trivium_trainer.report.time_spent import TimeSpent, describe_time
from trivium_trainer.report.timeline import Timeline, build_timeline
from trivium_trainer.report.wording import (
    change,
    count,
    describe_skip,
    duration,
    figure,
    moment,
    perplexity,
    plural,
    size,
)

MAX_CONFIG_CHARACTERS = 60_000
MAX_CHECKPOINT_ROWS = 60
MAX_DURING_PROMPTS = 8
MAX_DURING_CHARACTERS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRow:
    """One figure of one evaluation set, before and after."""

    dataset: str
    measure: str
    before: str
    after: str
    change: str
    best: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointTable:
    summary: str
    rows: tuple[tuple[str, str, str, str], ...]
    """Step, when, seconds blocked, size."""
    left_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DuringPrompt:
    prompt: str
    answers: tuple[tuple[str, str, bool], ...]
    """Step, text, whether it ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSection:
    card: Card
    curves: tuple[Drawing, ...]
    diverged: str
    skipped: tuple[str, ...]
    """Data that was left out after a rollback."""
    evaluations: tuple[EvaluationRow, ...]
    during: tuple[DuringPrompt, ...]
    timeline: Timeline | None
    checkpoints: CheckpointTable | None
    memory: BarChart | None
    breakdown: tuple[tuple[str, str], ...]
    outcome: tuple[OutcomeRow, ...]
    """The plan's figures beside what was measured."""
    time_spent: TimeSpent | None
    data_facts: tuple[tuple[str, str], ...]
    sources: tuple[SourceRow, ...]
    lengths: BarChart | None
    derived: str
    environment: tuple[tuple[str, str], ...]
    lineage: tuple[str, ...]
    config: str
    notes: tuple[str, ...]


def build_section(report: RunReport, card: Card, *, max_points: int) -> JobSection:
    """A job that has not trained yet gets the parts that it has."""
    stage = report.training or report.newest
    key = f"job{card.number}"
    drawings = [draw(chart, max_points=max_points) for chart in plan_curves(stage, key=key)] if stage else []
    inspection = report.inspection
    return JobSection(
        card=card,
        curves=tuple(drawing for drawing in drawings if drawing is not None),
        diverged=_diverged(stage) if stage else "",
        skipped=tuple(describe_skip(window) for window in stage.run.skips) if stage and stage.run else (),
        evaluations=tuple(row for held_out in summarize_run(report).held_out for row in _evaluation_rows(held_out)),
        during=_during(stage) if stage else (),
        timeline=build_timeline(report, key=f"{key}-timeline"),
        checkpoints=_checkpoints(stage) if stage else None,
        memory=chart_memory(stage, key=f"{key}-memory") if stage else None,
        breakdown=tuple((name, size(value)) for name, value in planned_breakdown(stage).items()) if stage else (),
        outcome=compare_with_plan(stage) if stage else (),
        time_spent=describe_time(stage) if stage else None,
        data_facts=describe_data(inspection) if inspection else (),
        sources=list_sources(report),
        lengths=histogram(inspection.length_histogram, key=f"{key}-lengths") if inspection else None,
        derived=describe_derived(report),
        environment=_environment(stage) if stage else (),
        lineage=_lineage(stage) if stage else (),
        config=_config(stage.config) if stage and stage.config else "",
        notes=(*report.notes, *(note for one in report.stages for note in one.notes)),
    )


def _evaluation_rows(held_out: HeldOut) -> list[EvaluationRow]:
    moved = held_out.first_step != held_out.last_step

    def row(measure: str, before: str, after: str, moved_by: str = "", best: str = "") -> EvaluationRow:
        return EvaluationRow(
            dataset=held_out.dataset,
            measure=measure,
            before=before if moved else "",
            after=after,
            change=moved_by if moved else "",
            best=best,
        )

    best = f"{figure(held_out.loss_best)} at step {held_out.best_step:,}" if moved else ""
    rows = [row("loss", figure(held_out.loss_before), figure(held_out.loss_after), best=best)]
    if held_out.perplexity_after is not None:
        by = change(held_out.perplexity_before, held_out.perplexity_after)
        rows.append(
            row("perplexity", perplexity(held_out.perplexity_before), perplexity(held_out.perplexity_after), by)
        )
    for name, after in sorted(held_out.metrics_after.items()):
        rows.append(row(name.replace("_", " "), figure(held_out.metrics_before.get(name)), figure(after)))
    return rows


def _diverged(stage: StageReport) -> str:
    bad: Points = tuple((line.step, line.loss) for line in stage.steps if not abs(line.loss) < float("inf"))
    if not bad:
        return ""
    steps = f"{plural(len(bad), 'step')}, first at step {bad[0][0]:,.0f}"
    return f"The loss was not a finite number at {steps}: gaps in the curves."


def _during(stage: StageReport) -> tuple[DuringPrompt, ...]:
    prompts = list(dict.fromkeys(sample.prompt for sample in stage.samples if sample.moment == "during"))
    return tuple(
        DuringPrompt(
            prompt=shorten(prompt, MAX_DURING_CHARACTERS),
            answers=tuple(
                (f"{sample.step:,}", sample.completion[:MAX_DURING_CHARACTERS], sample.ended)
                for sample in sorted(stage.samples, key=lambda sample: sample.step)
                if sample.prompt == prompt
            )[-12:],
        )
        for prompt in prompts[:MAX_DURING_PROMPTS]
    )


def _checkpoints(stage: StageReport) -> CheckpointTable | None:
    lines = stage.checkpoints
    if not lines:
        return None
    blocked = sum(line.seconds for line in lines)
    share = f" ({100 * blocked / stage.seconds:.1f} % of the stage)" if stage.seconds > 0 else ""
    number = "One complete checkpoint" if len(lines) == 1 else f"{len(lines):,} complete checkpoints"
    return CheckpointTable(
        summary=(
            f"{number}; training stood still for {duration(blocked)} in all{share}, "
            f"{duration(median(line.seconds for line in lines))} each (median). "
            f"The newest holds {size(lines[-1].bytes)}."
        ),
        rows=tuple(
            (f"{line.step:,}", moment(line.at), duration(line.seconds), size(line.bytes))
            for line in lines[-MAX_CHECKPOINT_ROWS:]
        ),
        left_out=max(0, len(lines) - MAX_CHECKPOINT_ROWS),
    )


def _environment(stage: StageReport) -> tuple[tuple[str, str], ...]:
    if stage.run is None:
        return ()
    parallelism = stage.block("parallelism")
    known: dict[str, Any] = {"ranks": stage.run.world_size, "ZeRO stage": parallelism.get("zeroStage")}
    known |= {"offload": parallelism.get("offload"), **stage.run.environment}
    return tuple((name, str(value)) for name, value in known.items() if value is not None)


def _lineage(stage: StageReport) -> tuple[str, ...]:
    lineage = stage.run.lineage if stage.run is not None else []
    return tuple(_ancestor(entry) for entry in lineage)


def _ancestor(entry: dict[str, Any]) -> str:
    digest = f", {entry['digest']}" if entry.get("digest") else ""
    return f"{entry.get('kind', 'stage')} {entry.get('name', '')} (uid {entry.get('uid', 'unknown')}{digest})"


def _config(config: dict[str, Any]) -> str:
    text = json.dumps(config, indent=2, ensure_ascii=False)
    if len(text) <= MAX_CONFIG_CHARACTERS:
        return text
    return text[:MAX_CONFIG_CHARACTERS] + f"\n... cut here: {count(len(text))} characters in all"
