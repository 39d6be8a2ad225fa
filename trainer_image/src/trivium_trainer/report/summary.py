"""The figures a stage is judged by: what the CLI prints at the end, what the cards show, what the demo asserts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Literal

from trivium_trainer.report.reading import load_run
from trivium_trainer.report.run_report import RunReport, StageReport
from trivium_trainer.report_data import EvaluationLine, SampleLine


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """One evaluation set, at the first and at the last evaluation. Losses in nats, perplexity per token."""

    dataset: str
    first_step: int
    last_step: int
    loss_before: float
    loss_after: float
    loss_best: float
    best_step: int
    perplexity_before: float | None
    perplexity_after: float | None
    tokens: int
    metrics_before: dict[str, float]
    metrics_after: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The generations of one moment, over all prompts."""

    prompts: int
    ended_share: float
    """Share that ended with the end token within maxNewTokens."""
    mean_tokens: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSummary:
    """One job's training stage; absent figures are None, never 0."""

    kind: str
    namespace: str
    name: str
    uid: str
    recipe: str
    outcome: str
    steps: int
    total_steps: int | None
    tokens: int
    seconds: float
    """At work in all stages, prepare included; gaps between starts do not count."""
    restarts: int
    parameters: int | None
    tokens_per_second: float | None
    """Median over steps."""
    loss_first: float | None
    loss_last: float | None
    """Training loss: means over the first and the last twentieth of the steps."""
    held_out: tuple[HeldOut, ...]
    answers_before: Answers | None
    answers_after: Answers | None
    checkpoint_seconds: float
    peak_memory_bytes: int | None

    @property
    def main_held_out(self) -> HeldOut | None:
        """The first evaluation set the job names."""
        return self.held_out[0] if self.held_out else None

    @property
    def preference_accuracy(self) -> float | None:
        """Held-out share of pairs in which the chosen answer gains more than the rejected one."""
        return self._last_metric("reward_accuracy")

    @property
    def preference_margin(self) -> float | None:
        """Held-out mean of chosen minus rejected reward."""
        return self._last_metric("reward_margin")

    def _last_metric(self, name: str) -> float | None:
        known = (held_out.metrics_after[name] for held_out in self.held_out if name in held_out.metrics_after)
        return next(known, None)


def summarize(run_directories: Sequence[Path]) -> list[StageSummary]:
    """One summary per run directory, in the order given. Raises FileNotFoundError for a directory that is none."""
    return [summarize_run(load_run(path)) for path in run_directories]


def summarize_run(report: RunReport) -> StageSummary:
    stage = report.training
    identity, inspection = report.identity, report.inspection
    losses = [line.loss for line in stage.steps if math.isfinite(line.loss)] if stage else []
    window = max(1, len(losses) // 20)
    speeds = [line.tokens_per_second for line in stage.steps if math.isfinite(line.tokens_per_second)] if stage else []
    total_steps = stage.block("optimization").get("totalSteps") if stage else None
    return StageSummary(
        kind=identity.kind,
        namespace=identity.namespace,
        name=identity.name,
        uid=identity.uid,
        recipe=report.recipe,
        outcome=report.outcome,
        steps=stage.steps[-1].step if stage and stage.steps else 0,
        total_steps=total_steps if isinstance(total_steps, int) else None,
        tokens=stage.steps[-1].tokens if stage and stage.steps else 0,
        seconds=report.seconds,
        restarts=report.restarts,
        parameters=inspection.parameters if inspection else None,
        tokens_per_second=median(speeds) if speeds else None,
        loss_first=fmean(losses[:window]) if losses else None,
        loss_last=fmean(losses[-window:]) if losses else None,
        held_out=compare_evaluations(stage.evaluations) if stage else (),
        answers_before=_answers(stage, "before") if stage else None,
        answers_after=_answers(stage, "after") if stage else None,
        checkpoint_seconds=sum(line.seconds for line in stage.checkpoints) if stage else 0.0,
        peak_memory_bytes=max((line.peak_bytes for line in stage.memory), default=None) if stage else None,
    )


def compare_evaluations(evaluations: Sequence[EvaluationLine]) -> tuple[HeldOut, ...]:
    """First against last evaluation of each set, in the order of their first appearance."""
    by_dataset: dict[str, list[EvaluationLine]] = {}
    for line in evaluations:
        by_dataset.setdefault(line.dataset, []).append(line)
    return tuple(_compare(dataset, lines) for dataset, lines in by_dataset.items())


def _compare(dataset: str, lines: Sequence[EvaluationLine]) -> HeldOut:
    first, last = lines[0], lines[-1]
    # NaN compares false with everything, so min() over a diverged run would depend on the order.
    best = min(lines, key=lambda line: line.loss if math.isfinite(line.loss) else math.inf)
    return HeldOut(
        dataset=dataset,
        first_step=first.step,
        last_step=last.step,
        loss_before=first.loss,
        loss_after=last.loss,
        loss_best=best.loss,
        best_step=best.step,
        perplexity_before=first.perplexity,
        perplexity_after=last.perplexity,
        tokens=last.tokens,
        metrics_before=first.metrics,
        metrics_after=last.metrics,
    )


def answers_of(samples: Sequence[SampleLine]) -> Answers | None:
    """None without samples."""
    if not samples:
        return None
    return Answers(
        prompts=len(samples),
        ended_share=fmean(sample.ended for sample in samples),
        mean_tokens=fmean(sample.tokens for sample in samples),
    )


def _answers(stage: StageReport, at: Literal["before", "after"]) -> Answers | None:
    newest = {sample.prompt: sample for sample in stage.samples if sample.moment == at}
    return answers_of(list(newest.values()))
