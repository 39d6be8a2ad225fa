"""Which format a source has: named by the job, or seen in the columns of its first record."""

import difflib
from collections.abc import Collection
from typing import Literal

from trivium_trainer.config import DataSource
from trivium_trainer.prepare.problems import data_error, excerpt, field_of, user_error
from trivium_trainer.prepare.records import Record
from trivium_trainer.prepare.rows import Format

Recipe = Literal["pretrain", "sft", "dpo"]

# In the order of detection: a row with `prompt`, `chosen` and `rejected` may have `messages` too (UltraFeedback).
NEEDED: dict[Format, tuple[str, ...]] = {
    "preference": ("chosen", "rejected"),
    "messages": ("messages",),
    "promptCompletion": ("prompt", "completion"),
    "instruction": ("instruction", "output"),
    "text": ("text",),
}
FORMATS: dict[Recipe, tuple[Format, ...]] = {
    "pretrain": ("text",),
    "sft": ("messages", "promptCompletion", "instruction", "text"),
    "dpo": ("preference",),
}
# Names under which other data sets carry the same thing.
_SYNONYMS: dict[str, tuple[str, ...]] = {
    "text": ("content", "body", "document", "article", "raw_content"),
    "messages": ("conversations", "conversation", "dialogue", "dialog", "chat", "turns"),
    "instruction": ("question", "query", "task"),
    "output": ("response", "answer", "target", "reply", "completion"),
    "prompt": ("question", "query", "input", "instruction"),
    "completion": ("response", "answer", "output", "target", "reply"),
    "chosen": ("preferred", "accepted", "winner", "response_chosen", "chosen_response"),
    "rejected": ("dispreferred", "refused", "loser", "response_rejected", "rejected_response"),
}


def detect_format(source: DataSource, record: Record, *, recipe: Recipe) -> Format:
    """The format of a source, judged by its first record.

    Raises UserError where the recipe does not take the named format, DataError where the columns do not fit.
    """
    allowed = FORMATS[recipe]
    names = _our_names(source, record)
    if source.format == "auto":
        found = next((one for one in NEEDED if one in allowed and set(NEEDED[one]) <= names), None)
        if found is None:
            raise _no_known_form(source, record, names=names, allowed=allowed)
        return found
    if source.format not in allowed:
        raise user_error(
            "FormatNotForThisJob",
            f"{field_of(source)}.format: {source.format} is not read by this kind of job.",
            remedy=f"Use {' or '.join(allowed)}.",
        )
    missing = [name for name in NEEDED[source.format] if name not in names]
    if missing:
        raise data_error(
            "MissingColumn",
            f"{field_of(source)}: {record.location} has no {' and no '.join(_columns(source, missing))}, which format "
            f"{source.format} needs; its columns are {', '.join(record.values)}.",
            remedy=_sentence(f"{_renames(names, missing)}set columns, or another format."),
        )
    return source.format


def _our_names(source: DataSource, record: Record) -> set[str]:
    """The record's columns under our names."""
    theirs = {column: name for name, column in source.columns.items()}
    return {theirs.get(column, column) for column, value in record.values.items() if value is not None}


def _columns(source: DataSource, names: Collection[str]) -> list[str]:
    return [source.columns.get(name, name) for name in names]


def _no_known_form(source: DataSource, record: Record, *, names: set[str], allowed: Collection[Format]) -> Exception:
    nearest = min(allowed, key=lambda one: (_distance(names, one), list(NEEDED).index(one)))
    missing = [name for name in NEEDED[nearest] if name not in names]
    listed = ", ".join(record.values) or "none"
    known = "no known form" if len(allowed) > 1 else f"no {nearest} form ({', '.join(NEEDED[nearest])})"
    return data_error(
        "UnknownFormat",
        f"{field_of(source)}: columns {listed} match {known}. {record.location} is {excerpt(record.values)}.",
        remedy=_sentence(f"{_renames(names, missing)}set columns."),
    )


def _distance(names: set[str], one: Format) -> float:
    """Missing columns; one that has a likely stand-in counts less than half: two such beat one without."""
    missing = [name for name in NEEDED[one] if name not in names]
    return sum(0.4 if _stand_in(names, name) else 1.0 for name in missing) - len(set(NEEDED[one]) & names)


def _stand_in(names: set[str], wanted: str) -> str | None:
    lower = {name.lower(): name for name in names}
    for synonym in _SYNONYMS[wanted]:
        if synonym in lower:
            return lower[synonym]
    close = difflib.get_close_matches(wanted, lower, n=1, cutoff=0.75)
    return lower[close[0]] if close else None


def _renames(names: set[str], missing: Collection[str]) -> str:
    """`Rename response to output, or ` - or nothing where no column looks like the missing one."""
    pairs = [f"{stand_in} to {name}" for name in missing if (stand_in := _stand_in(names, name)) is not None]
    return f"Rename {' and '.join(pairs)}, or " if pairs else ""


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
