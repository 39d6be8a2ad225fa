"""What will be read, and how: each source with its format, decided before any worker starts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from trivium_trainer.config import DataSource, RunConfig
from trivium_trainer.prepare.detect import detect_format
from trivium_trainer.prepare.held_out import is_held_out
from trivium_trainer.prepare.problems import BadRecordError, data_error, field_of, user_error
from trivium_trainer.prepare.records import Record, read_records
from trivium_trainer.prepare.resolve import Inputs, ResolvedSource, data_root
from trivium_trainer.prepare.rows import Document, Format, Row, parse_row
from trivium_trainer.prepare.tally import bad_record


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcePlan:
    """One source of data."""

    source: DataSource
    resolved: ResolvedSource
    root: Path
    row_format: Format
    is_conversation: bool
    """Whether its rows are rendered by a chat template, judged by the first one."""
    evaluation_fraction: float
    """0 for evaluation sources: all of it is held out already."""


def plan_sources(config: RunConfig, inputs: Inputs, *, work: Path) -> list[SourcePlan]:
    """All sources in the order of data.train, then data.evaluation. Raises UserError and DataError."""
    sources = [*config.data.train, *config.data.evaluation]
    return [
        _plan_source(
            config,
            source,
            resolved,
            root=data_root(config, number, work=work),
            evaluation_fraction=config.data.evaluation_fraction if number < len(config.data.train) else 0.0,
        )
        for number, (source, resolved) in enumerate(zip(sources, inputs.data, strict=True))
    ]


def needs_marks(config: RunConfig, plans: Sequence[SourcePlan]) -> bool:
    """Whether the template must say which tokens are the assistant's."""
    formats = {plan.row_format for plan in plans}
    return config.recipe == "sft" and config.data.loss == "assistant" and bool(formats & {"messages", "instruction"})


def require_supported(config: RunConfig) -> None:
    """Raises UserError for settings of data that contradict the kind of job."""
    data = config.data
    if config.recipe == "dpo" and data.packing == "on":
        raise user_error(
            "PackingNotForPreferences",
            "data.packing: on, but pairs of answers are compared whole and never packed.",
            remedy="Set packing to auto or off.",
        )
    if config.recipe == "pretrain" and data.packing == "off":
        raise user_error(
            "PretrainingPacks",
            "data.packing: off, but pre-training always fills rows of maxLength from the stream of documents.",
            remedy="Set packing to auto or on.",
        )
    names = [source.name for source in data.evaluation]
    if len(set(names)) < len(names) or HELD_OUT_NAME in names:
        raise user_error(
            "EvaluationNamesClash",
            f"data.evaluation: the names {', '.join(names)} are not distinct, or one is {HELD_OUT_NAME}.",
            remedy="Give each evaluation source a name of its own.",
        )


HELD_OUT_NAME = "held-out"
"""The evaluation set that evaluationFraction makes."""


def _plan_source(
    config: RunConfig, source: DataSource, resolved: ResolvedSource, *, root: Path, evaluation_fraction: float
) -> SourcePlan:
    record = _first_record(config, source, resolved, root)
    row_format = detect_format(source, record, recipe=config.recipe)
    if config.recipe == "sft" and row_format == "text" and config.data.loss != "all":
        raise user_error(
            "TextHasNoAnswer",
            f"data.loss: {config.data.loss}, but {field_of(source)} is plain text, where nothing is an answer.",
            remedy="Set data.loss to all, or give rows of messages, instruction and output, or prompt and completion.",
        )
    return SourcePlan(
        source=source,
        resolved=resolved,
        root=root,
        row_format=row_format,
        is_conversation=_is_conversation(row_format, record, source),
        evaluation_fraction=evaluation_fraction,
    )


def _first_record(config: RunConfig, source: DataSource, resolved: ResolvedSource, root: Path) -> Record:
    for file in resolved.files:
        for record in read_records(root, file):
            if isinstance(record, Record):
                return record
            if config.data.on_bad_record == "fail":
                raise bad_record(source, record)
    raise data_error(
        "EmptySplit",
        f"{field_of(source)}.split: {source.split} has no usable row in {len(resolved.files)} files "
        f"({', '.join(file.path for file in resolved.files[:3])}).",
        remedy="Name a split or files that hold rows.",
    )


def _is_conversation(row_format: Format, record: Record, source: DataSource) -> bool:
    if row_format in {"messages", "instruction"}:
        return True
    column = {"promptCompletion": "prompt", "preference": "chosen"}.get(row_format)
    return column is not None and not isinstance(record.values.get(source.columns.get(column, column)), str)


def read_training_texts(plans: Sequence[SourcePlan], config: RunConfig) -> Iterator[str]:
    """Every text that the training rows hold, for training a tokenizer; held-out rows are left out."""
    for plan in plans[: len(config.data.train)]:
        left = plan.source.max_rows
        for file in plan.resolved.files:
            for record in read_records(plan.root, file):
                if left == 0:
                    break
                left = None if left is None else left - 1
                row = _row_or_none(record, plan)
                if row is not None and not is_held_out(row.key, fraction=plan.evaluation_fraction):
                    yield from _texts(row)


def _row_or_none(record: Record | BadRecordError, plan: SourcePlan) -> Row | None:
    """Bad records are counted where rows are tokenized, not here."""
    if isinstance(record, BadRecordError):
        return None
    try:
        return parse_row(record, row_format=plan.row_format, columns=plan.source.columns)
    except BadRecordError:
        return None


def _texts(row: Row) -> Iterator[str]:
    if isinstance(row, Document):
        yield row.text
        return
    for field in ("prompt", "completion", "chosen", "rejected", "messages"):
        value = getattr(row, field, None)
        if isinstance(value, str):
            yield value
        elif value is not None:
            yield from (message["content"] for message in value)
