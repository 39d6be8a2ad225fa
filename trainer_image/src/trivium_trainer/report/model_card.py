"""README.md of the output model: what it is, what it was made of, how well it does, and what it is not.

Front matter by huggingface_hub, which knows the hub's schema; the text by a template. Names, digests and paths are
other people's text: they stand in code spans, where Markdown knows no markup.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData
from jinja2 import Environment, PackageLoader, StrictUndefined

from trivium_trainer.config import DataSource, RunConfig, SkipWindow, Source
from trivium_trainer.layout import StageDirectory
from trivium_trainer.progress import Inspection
from trivium_trainer.report.cards import SMALL_MODEL_PARAMETERS
from trivium_trainer.report.data_table import DERIVED_DATA, DERIVED_PREFERENCES
from trivium_trainer.report.reading import clean, load_stage
from trivium_trainer.report.summary import HeldOut, compare_evaluations
from trivium_trainer.report.wording import count, describe_skip, figure, perplexity

METHODS = {
    "pretrain": "pre-trained to predict the next token",
    "sft": "fine-tuned on demonstrations (supervised fine-tuning)",
    "dpo": "trained on preferences (direct preference optimization)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CardSource:
    """One row of the card's table of data."""

    name: str
    origin: str
    rows: int
    trained_tokens: int
    digest: str
    derived: bool


def render_model_card(
    config: RunConfig, report_data: Path, inspection: Inspection, *, skips: Sequence[SkipWindow] = ()
) -> str:
    """The model card of a finished training stage. `report_data`: its `<stage>/report/data.jsonl`; may lack lines.

    `skips`: data that was left out because training diverged on it.
    """
    # report_data is <stage>/report/data.jsonl, see layout.StageDirectory.
    stage = load_stage(StageDirectory(report_data.parent.parent))
    held_out = compare_evaluations(stage.evaluations)
    sources = _sources(config, inspection)
    derived = any(source.derived for source in sources)
    return (
        _environment()
        .get_template("model_card.md")
        .render(
            front_matter=_front_matter(config, held_out, derived=derived),
            config=config,
            inspection=inspection,
            method=METHODS[config.recipe],
            start=_start(config),
            sources=sources,
            derived=(DERIVED_PREFERENCES if config.recipe == "dpo" else DERIVED_DATA) if derived else "",
            evaluations=[row for one in held_out for row in _evaluation_rows(one)],
            hyper_parameters=_hyper_parameters(config),
            trained_tokens=stage.steps[-1].tokens if stage.steps else None,
            is_small=inspection.parameters < SMALL_MODEL_PARAMETERS,
            restarts=stage.restarts,
            skips=[describe_skip(window) for window in skips],
        )
    )


def _front_matter(config: RunConfig, held_out: tuple[HeldOut, ...], *, derived: bool) -> str:
    """YAML, without the fences. No license: the trainer does not know what the data and the base allow."""
    source = config.model.source
    results = [
        EvalResult(
            task_type="text-generation",
            dataset_type="held-out",
            dataset_name=one_line(one.dataset),
            metric_type="perplexity",
            metric_value=round(one.perplexity_after, 3),
        )
        for one in held_out
        if one.perplexity_after is not None and one.perplexity_after < float("inf")
    ]
    hubs = [entry.source.hub.repo for entry in config.data.train if entry.source.hub is not None]
    data = ModelCardData(
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=[
            "trivium",
            config.recipe,
            *(["lora"] if config.adapter else []),
            *(["derived-labels"] if derived else []),
        ],
        base_model=source.hub.repo if source is not None and source.hub is not None else None,
        datasets=hubs or None,
        model_name=one_line(config.job.name) if results else None,
        eval_results=results or None,
    )
    return data.to_yaml()


def _sources(config: RunConfig, inspection: Inspection) -> list[CardSource]:
    configured: dict[str, DataSource] = {entry.name: entry for entry in (*config.data.train, *config.data.evaluation)}
    sources = []
    for seen in inspection.sources:
        entry = configured.get(seen.name)
        origin = _describe_source(entry.source) if entry is not None else ""
        sources.append(
            CardSource(
                name=seen.name,
                origin=f"{origin} @ {seen.revision}" if seen.revision else origin,
                rows=seen.rows,
                trained_tokens=seen.trained_tokens,
                digest=seen.digest,
                derived="derived" in f"{seen.name} {origin}".lower(),
            )
        )
    return sources


def _describe_source(source: Source) -> str:
    if source.hub is not None:
        return f"hub {source.hub.repo}"
    return source.uri or source.path or ""


def _start(config: RunConfig) -> str:
    """What training started from; an upstream job's mount path says nothing outside its pod."""
    if config.lineage:
        parent = config.lineage[-1]
        return f"{parent.kind} {parent.name}"
    return _describe_source(config.model.source) if config.model.source is not None else ""


def _evaluation_rows(held_out: HeldOut) -> list[tuple[str, str, str, str]]:
    """Set, measure, before, after."""
    rows = [(held_out.dataset, "loss", figure(held_out.loss_before), figure(held_out.loss_after))]
    if held_out.perplexity_after is not None:
        after = perplexity(held_out.perplexity_after)
        rows.append((held_out.dataset, "perplexity", perplexity(held_out.perplexity_before), after))
    rows += [
        (held_out.dataset, name, figure(held_out.metrics_before.get(name)), figure(value))
        for name, value in sorted(held_out.metrics_after.items())
    ]
    return rows


def _hyper_parameters(config: RunConfig) -> list[tuple[str, Any]]:
    """Everything of the configuration that a repetition needs, by its name there."""
    blocks: list[tuple[str, Any]] = [("optimization", config.optimization), ("adapter", config.adapter)]
    blocks += [("dpo", config.dpo)]
    rows: list[tuple[str, Any]] = []
    for name, block in blocks:
        if block is not None:
            rows += _flatten(name, block.model_dump(mode="json", by_alias=True))
    rows += [("data.maxLength", config.data.max_length), ("data.loss", config.data.loss)]
    rows += [("model.dtype", config.model.dtype), ("model.attention", config.model.attention)]
    if config.parallelism is not None:
        rows += [("parallelism.zeroStage", config.parallelism.zero_stage)]
        rows += [("parallelism.workers", config.parallelism.workers)]
    return rows


def _flatten(name: str, value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [row for key, inner in value.items() for row in _flatten(f"{name}.{key}", inner)]
    return [(name, json.dumps(value) if isinstance(value, list | bool) else value)]


def one_line(text: str) -> str:
    """Without line breaks and control characters: a line of its own could end the front matter or begin a heading."""
    return " ".join(str(clean(text)).split())


def code_span(value: Any) -> str:
    """`value` as a Markdown code span, on one line and safe in a table: nothing inside it is markup.

    Source: CommonMark 0.31, section 6.1; a pipe ends a GFM table cell even in a code span unless it is escaped.
    """
    text = one_line(str(value)).replace("|", "\\|")
    if not text:
        return ""
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("trivium_trainer.report", "templates"),
        autoescape=False,  # noqa: S701 - the output is Markdown: foreign text goes through code_span instead
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"code": code_span, "count": count}
    return environment
