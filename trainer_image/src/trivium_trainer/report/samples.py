"""The same questions, answered by every model of the chain.

The model that enters stage k is the one that leaves stage k-1, so a chain of n stages has n+1 models, and a model's
answer to a question may stand in either stage's samples. The later stage's is taken where there are both: it was asked
in the same way (through the same chat template) as the models beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from trivium_trainer.report.data_table import describe_derived
from trivium_trainer.report.run_report import RunReport
from trivium_trainer.report.summary import Answers, answers_of
from trivium_trainer.report_data import SampleLine

MAX_PROMPTS = 48
MAX_CHARACTERS = 1500
"""Enough to judge an answer; together they bound the page's size."""

MODEL_WORDS = {"pretrain": "base", "sft": "tuned", "dpo": "preferred"}
ORIGIN_WORDS = {
    "seen": "Seen in training",
    "held-out": "Held out: never trained on",
    "other": "From outside the data",
    None: "",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One model of the chain."""

    title: str
    subtitle: str
    answers: Answers | None
    accent: int
    """Number of the stage that made it, from 1; 0 = it came from outside the chain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One answer, or none."""

    text: str
    cut: bool
    ended: bool
    tokens: int
    asked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    prompt: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Prompts of one origin, in the job's order."""

    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    columns: tuple[Column, ...]
    groups: tuple[Group, ...]
    left_out: int
    """Prompts beyond MAX_PROMPTS."""


def compare_samples(reports: Sequence[RunReport]) -> Comparison | None:
    """None if no stage has sampled anything."""
    models = [_samples_of_model(reports, index) for index in range(len(reports) + 1)]
    shown = [index for index, samples in enumerate(models) if samples and not _is_untrained(reports, index)]
    if not shown:
        return None
    prompts = list(dict.fromkeys(prompt for index in _latest_first(shown) for prompt in models[index]))
    kept = prompts[:MAX_PROMPTS]
    asked_often = [prompt for prompt in kept if len(shown) == 1 or sum(prompt in models[index] for index in shown) > 1]
    columns_of_rows = [models[index] for index in shown]
    groups = [
        Group(title=title, rows=_rows(columns_of_rows, prompts_of_origin))
        for origin, title in ORIGIN_WORDS.items()
        if (prompts_of_origin := [prompt for prompt in asked_often if _origin(columns_of_rows, prompt) == origin])
    ]
    if len(groups) > 1 and not groups[-1].title:
        groups[-1] = Group(title="Not looked up in the data", rows=groups[-1].rows)
    asked_once = [prompt for prompt in kept if prompt not in set(asked_often)]
    if asked_once:
        groups.append(Group(title="Asked of one model only", rows=_rows(columns_of_rows, asked_once)))
    fair = [prompt for prompt in prompts if all(prompt in models[index] for index in shown)]
    columns = tuple(_column(reports, models[index], fair, index) for index in shown)
    return Comparison(columns=columns, groups=tuple(groups), left_out=len(prompts) - len(kept))


def _rows(models: Sequence[dict[str, SampleLine]], prompts: Sequence[str]) -> tuple[Row, ...]:
    return tuple(
        Row(prompt=shorten(prompt, MAX_CHARACTERS), cells=tuple(_cell(model.get(prompt)) for model in models))
        for prompt in prompts
    )


def shorten(text: str, limit: int) -> str:
    """A prompt may be a document: enough of it to know which one it is."""
    return text if len(text) <= limit else text[:limit] + " \N{HORIZONTAL ELLIPSIS}"


def _samples_of_model(reports: Sequence[RunReport], index: int) -> dict[str, SampleLine]:
    """Model `index` is the one that `index` stages of the chain have made: {prompt: newest sample}."""
    found: dict[str, SampleLine] = {}
    if index > 0:
        found |= _at(reports[index - 1], "after")
    if index < len(reports):
        found |= _at(reports[index], "before")
    return found


def _at(report: RunReport, moment: Literal["before", "after"]) -> dict[str, SampleLine]:
    stage = report.training
    return {sample.prompt: sample for sample in stage.samples if sample.moment == moment} if stage else {}


def _is_untrained(reports: Sequence[RunReport], index: int) -> bool:
    """Random weights answer nothing: in a chain their column only takes room from the others."""
    return index == 0 and len(reports) > 1 and _starts_from_scratch(reports[0])


def _starts_from_scratch(report: RunReport) -> bool:
    model = report.training.block("model") if report.training else {}
    return bool(model.get("architecture")) and not model.get("source")


def _latest_first(shown: Sequence[int]) -> list[int]:
    """The last jobs' prompts come first: they are the questions that the whole chain was made to answer."""
    return sorted(shown, reverse=True)


def _column(reports: Sequence[RunReport], samples: dict[str, SampleLine], fair: Sequence[str], index: int) -> Column:
    """`fair`: the prompts that every model was asked; the figures over the columns compare on those alone."""
    answers = answers_of([samples[prompt] for prompt in fair] or list(samples.values()))
    if index == 0:
        title = "untrained" if _starts_from_scratch(reports[0]) else "before"
        return Column(title=title, subtitle="the model this job started from", answers=answers, accent=0)
    report = reports[index - 1]
    title = MODEL_WORDS.get(report.recipe, "after")
    if title == "preferred" and describe_derived(report):
        title = "preferred, by rule"
    return Column(title=title, subtitle=f"after {report.identity.name}", answers=answers, accent=index)


def _origin(models: Sequence[dict[str, SampleLine]], prompt: str) -> str | None:
    """What the last stage says: a prompt may be held out of one stage's data and unknown to another's."""
    return next((model[prompt].origin for model in reversed(models) if prompt in model and model[prompt].origin), None)


def _cell(sample: SampleLine | None) -> Cell:
    if sample is None:
        return Cell(text="", cut=False, ended=False, tokens=0, asked=False)
    return Cell(
        text=sample.completion[:MAX_CHARACTERS],
        cut=len(sample.completion) > MAX_CHARACTERS,
        ended=sample.ended,
        tokens=sample.tokens,
        asked=True,
    )
