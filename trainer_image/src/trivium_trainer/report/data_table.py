"""What was trained on: sources with rows, tokens and digests, and an honest word on preferences made by a rule."""

from dataclasses import dataclass
from typing import Any

from trivium_trainer.progress import Inspection, SourceInspection
from trivium_trainer.report.run_report import RunReport
from trivium_trainer.report.wording import count, percent

MAX_SOURCES = 100

DERIVED_PREFERENCES = (
    "The preferences of this job are derived: a fixed rule chose between two texts, not a person. "
    "Accuracy and margin say how well the model learned that rule; "
    "they say nothing about helpfulness, safety or what people would prefer."
)
DERIVED_DATA = "Some of this data is derived: made by a fixed rule from other data, not written or judged by a person."


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRow:
    """One data source, as prepare saw it."""

    name: str
    origin: str
    derived: bool
    files: str
    rows: str
    skipped: str
    over_long: str
    trained: str
    """Trained tokens, and their share of all tokens."""
    digest: str
    bad_records: tuple[str, ...]


def list_sources(report: RunReport) -> tuple[SourceRow, ...]:
    """In the order of prepare."""
    inspection = report.inspection
    if inspection is None:
        return ()
    origins = _origins(report)
    return tuple(_row(source, origins.get(source.name, "")) for source in inspection.sources[:MAX_SOURCES])


def describe_data(inspection: Inspection) -> tuple[tuple[str, str], ...]:
    """Name and value of each fact on the whole of the data."""
    held_out = ", ".join(f"{name}: {number:,}" for name, number in inspection.evaluation_sequences.items())
    facts = [
        ("Parameters", count(inspection.parameters)),
        ("Vocabulary", f"{inspection.vocabulary:,}"),
        ("Longest sequence", f"{inspection.max_length:,} tokens"),
        ("Packing", "on: rows of several examples" if inspection.packing else "off: one example a row"),
        ("Sequences per epoch", f"{inspection.train_sequences:,}"),
        ("Examples per epoch", f"{inspection.train_examples:,}"),
        ("Trained tokens per epoch", f"{inspection.train_tokens:,}"),
        ("Held out (sequences)", held_out),
        ("Tokens added to the vocabulary", f"{inspection.added_tokens:,}" if inspection.added_tokens else ""),
        ("Tokenizer digest", inspection.tokenizer_digest),
    ]
    return tuple((name, value) for name, value in facts if value)


def describe_derived(report: RunReport) -> str:
    """The label that derived data carries wherever it is shown; "" if no source says it is derived."""
    inspection = report.inspection
    names = [source.name for source in inspection.sources] if inspection else []
    if not any("derived" in text.lower() for text in (*names, *_origins(report).values())):
        return ""
    return DERIVED_PREFERENCES if report.recipe == "dpo" else DERIVED_DATA


def _row(source: SourceInspection, origin: str) -> SourceRow:
    share = f" ({percent(source.trained_tokens / source.tokens)})" if source.tokens else ""
    return SourceRow(
        name=source.name,
        origin=f"{origin} @ {source.revision}" if source.revision else origin,
        derived="derived" in f"{source.name} {origin}".lower(),
        files=f"{source.files:,}",
        rows=f"{source.rows:,}",
        skipped=f"{source.skipped:,}",
        over_long=f"{source.over_long:,}",
        trained=f"{source.trained_tokens:,}{share}",
        digest=source.digest,
        bad_records=tuple(source.first_bad_records),
    )


def _origins(report: RunReport) -> dict[str, str]:
    """Source name -> where it came from, out of the newest configuration."""
    origins: dict[str, str] = {}
    for stage in report.stages:
        data = stage.block("data")
        for entry in (*_list(data.get("train")), *_list(data.get("evaluation"))):
            origins[str(entry.get("name", ""))] = _origin(entry.get("source"))
    return origins


def _origin(source: Any) -> str:
    if not isinstance(source, dict):
        return ""
    hub = source.get("hub")
    if isinstance(hub, dict):
        return f"hub {hub.get('repo', '')}"
    return str(source.get("uri") or source.get("path") or "")


def _list(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
