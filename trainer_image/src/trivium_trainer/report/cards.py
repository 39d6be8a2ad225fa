"""The story of the chain: one card per job with the figures it is judged by, before and after."""

from collections.abc import Sequence
from dataclasses import dataclass

from trivium_trainer.report.run_report import RunReport
from trivium_trainer.report.summary import StageSummary, summarize_run
from trivium_trainer.report.wording import (
    change,
    count,
    duration,
    figure,
    mean,
    percent,
    perplexity,
    perplexity_of,
    plural,
)

SMALL_MODEL_PARAMETERS = 100_000_000
"""Below this a model shows that the pipeline works, not that it is useful. A guess at where usefulness may begin."""

TAGLINES = {
    "pretrain": ("Pre-training", "first the language"),
    "sft": ("Supervised fine-tuning", "then how to answer"),
    "dpo": ("Preferences", "then how to answer well"),
}
OUTCOME_WORDS = {
    "complete": "complete",
    "failed": "failed",
    "stopped": "stopped by request",
    "interrupted": "interrupted",
    "open": "in progress",
    "not started": "not started",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured figure; `before` is "" where it has none."""

    label: str
    before: str
    after: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    number: int
    kind: str
    name: str
    namespace: str
    method: str
    tagline: str
    outcome: str
    outcome_words: str
    lasted: str
    progress: str
    figures: tuple[Figure, ...]
    failure: str
    remedy: str


def build_card(report: RunReport, number: int) -> Card:
    summary = summarize_run(report)
    method, tagline = TAGLINES.get(summary.recipe, (summary.recipe, ""))
    newest = report.newest
    failure = newest.end.failure if newest is not None and newest.end is not None else None
    return Card(
        number=number,
        kind=summary.kind,
        name=summary.name,
        namespace=summary.namespace,
        method=method,
        tagline=tagline,
        outcome=summary.outcome.replace(" ", "-"),
        outcome_words=OUTCOME_WORDS.get(summary.outcome, summary.outcome),
        lasted=duration(summary.seconds),
        progress=_progress(summary),
        figures=tuple(_figures(summary)),
        failure=f"{failure.failure_class} / {failure.reason}: {failure.message}" if failure is not None else "",
        remedy=failure.remedy if failure is not None else "",
    )


def tell_story(reports: Sequence[RunReport]) -> str:
    """Two or three sentences at the top of the page."""
    summaries = [summarize_run(report) for report in reports]
    done = sum(summary.outcome == "complete" for summary in summaries)
    parts = []
    if len(summaries) == 1:
        parts.append(f"One job: {OUTCOME_WORDS.get(summaries[0].outcome, summaries[0].outcome)}.")
    elif done == len(summaries):
        parts.append(f"All {done} jobs of this chain are complete.")
    else:
        parts.append(f"{done} of {len(summaries)} jobs of this chain are complete.")
    parameters = next((summary.parameters for summary in reversed(summaries) if summary.parameters), None)
    tokens = sum(summary.tokens for summary in summaries)
    if parameters and tokens:
        seconds = duration(sum(summary.seconds for summary in summaries))
        parts.append(f"A model of {count(parameters)} parameters, {count(tokens)} trained tokens, {seconds} at work.")
    if parameters and parameters < SMALL_MODEL_PARAMETERS:
        parts.append("A model this small shows that the pipeline works, not that the model is useful.")
    return " ".join(parts)


def _figures(summary: StageSummary) -> list[Figure]:
    """At most four: what a reader compares first."""
    figures = []
    held_out = summary.main_held_out
    if summary.preference_accuracy is not None and held_out is not None:
        before = held_out.metrics_before.get("reward_accuracy")
        figures.append(
            Figure(
                label="Held-out preference accuracy",
                before=percent(before) if held_out.first_step != held_out.last_step else "",
                after=percent(summary.preference_accuracy),
                note=f"margin {figure(summary.preference_margin, 3)}" if summary.preference_margin is not None else "",
            )
        )
    if held_out is not None and held_out.perplexity_after is not None:
        moved = held_out.first_step != held_out.last_step
        figures.append(
            Figure(
                label=perplexity_of(summary.recipe),
                before=perplexity(held_out.perplexity_before) if moved else "",
                after=perplexity(held_out.perplexity_after),
                note=change(held_out.perplexity_before, held_out.perplexity_after) if moved else "",
            )
        )
    figures.extend(_answer_figures(summary))
    if len(figures) < 3 and summary.loss_last is not None:
        figures.append(
            Figure(label="Training loss", before=figure(summary.loss_first), after=figure(summary.loss_last))
        )
    if len(figures) < 4 and summary.tokens:
        speed = f"{count(summary.tokens_per_second)} per second" if summary.tokens_per_second else ""
        figures.append(Figure(label="Trained tokens", before="", after=count(summary.tokens), note=speed))
    return figures[:4]


def _answer_figures(summary: StageSummary) -> list[Figure]:
    """How answers end and how long they are; pre-training teaches neither."""
    before, after = summary.answers_before, summary.answers_after
    if after is None or summary.recipe == "pretrain":
        return []
    return [
        Figure(
            label="Answers that end by themselves",
            before=percent(before.ended_share) if before is not None else "",
            after=percent(after.ended_share),
            note=plural(after.prompts, "prompt"),
        ),
        Figure(
            label="Mean answer length",
            before=mean(before.mean_tokens) if before is not None else "",
            after=mean(after.mean_tokens),
            note="tokens",
        ),
    ]


def _progress(summary: StageSummary) -> str:
    if not summary.steps:
        return ""
    total = f" of {summary.total_steps:,}" if summary.total_steps else ""
    return f"{summary.steps:,}{total} steps"
