"""A trainer's progress report, read as what it is: the input of a tenant.

The trainer's side of this contract is `trivium_trainer.progress.ProgressReport`; a contract test holds them together.
Bounds are checked again here, control characters are stripped, and a value that is not a number is no value.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from trivium.api.inspection import Inspection
from trivium.domain.end_record import EndRecord, Text, UntrustedBlock, Word, clean_text

MAX_METRICS = 64
MAX_INSPECTION_CHARACTERS = 65_536
"""A model's config.json and a few counts: far below this; status as a whole must stay below etcd's 1.5 MiB."""

MAX_CHECKPOINTS = 64
SECONDS_KINDS = frozenset(
    {"start", "download", "prepare", "compile", "restore", "step", "save", "evaluate", "sample", "finish", "wasted"}
)
"""What a trainer may say that its time went into."""
_MAX_SECONDS = 3.2e9  # a century
_MAX_COUNT = 1 << 53  # the largest integer that every JSON reader keeps exact
_KNOWN_ACTIVITIES = ("start", "download", "prepare", "compile", "step", "save", "evaluate", "sample", "finish")

Count = Annotated[int, Field(ge=0, le=_MAX_COUNT)]
MetricKey = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


def _finite_or_none(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _without_nulls(value: Any) -> Any:
    # JSON has no infinities: the trainer's encoder writes null for what is no number.
    return {key: item for key, item in value.items() if item is not None} if isinstance(value, Mapping) else value


def _only_finite(metrics: dict[str, float]) -> dict[str, float]:
    return {key: value for key, value in metrics.items() if math.isfinite(value)}


def _known_activity(value: Any) -> Any:
    # A newer trainer may do something that this operator has no word for; that is no reason to refuse its news.
    return value if value in _KNOWN_ACTIVITIES or not isinstance(value, str) else "start"


def _relative_path(value: str) -> str:
    if value.startswith("/") or ".." in value.split("/"):
        raise ValueError("checkpoint.path: must lie inside the run directory")
    return value


def _bounded(value: Any) -> Any:
    if value is None or isinstance(value, Inspection):
        return value
    if len(json.dumps(value)) > MAX_INSPECTION_CHARACTERS:
        raise ValueError(f"inspection: larger than {MAX_INSPECTION_CHARACTERS} characters")
    return _clean_tree(value)


def _clean_tree(value: Any) -> Any:
    """Cut texts rather than refuse them: without an inspection the job could never go on.

    Nulls and infinities go, because status would come back from the API server without them.
    """
    if isinstance(value, Mapping):
        cleaned = {str(clean_text(key, limit=128)): _clean_tree(item) for key, item in value.items()}
        return {key: item for key, item in cleaned.items() if item is not None}
    if isinstance(value, list):
        return [_clean_tree(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return clean_text(value)


def _known_seconds(value: Any) -> Any:
    """Seconds by kind: what is no time is left out, and kinds that this version does not know count as `other`."""
    if not isinstance(value, Mapping):
        return value
    known: dict[str, float] = {}
    for kind, seconds in value.items():
        if isinstance(seconds, int | float) and math.isfinite(seconds) and 0 <= seconds <= _MAX_SECONDS:
            name = kind if kind in SECONDS_KINDS else "other"
            known[name] = known.get(name, 0.0) + float(seconds)
    return known


def _newest_checkpoints(value: Any) -> Any:
    # Cut rather than refused: the oldest are of no interest to a rollback.
    return value[-MAX_CHECKPOINTS:] if isinstance(value, list | tuple) else value


Finite = Annotated[float | None, AfterValidator(_finite_or_none)]


class CheckpointReport(UntrustedBlock):
    """The newest complete checkpoint, relative to the run directory."""

    step: Count
    path: Annotated[str, Field(max_length=256, pattern=r"^[A-Za-z0-9._/-]+$"), AfterValidator(_relative_path)]


class ProgressReport(UntrustedBlock):
    """One report; each carries the whole state."""

    api_version: Literal["progress.trivium.dev/v1alpha1"]
    job_uid: Word
    stage: Word
    sequence: Count
    activity: Annotated[
        Literal["start", "download", "prepare", "compile", "step", "save", "evaluate", "sample", "finish"],
        BeforeValidator(_known_activity),
    ] = "start"
    step: Count = 0
    total_steps: Count = 0
    epoch: Finite = 0.0
    tokens: Count = 0
    loss: Finite = None
    tokens_per_second: Finite = None
    restarts: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    preemptions: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    earlier_restarts: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    world_size: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    metrics: Annotated[
        dict[MetricKey, float],
        Field(max_length=MAX_METRICS),
        BeforeValidator(_without_nulls),
        AfterValidator(_only_finite),
    ] = {}
    checkpoint: CheckpointReport | None = None
    checkpoints: Annotated[tuple[Count, ...], BeforeValidator(_newest_checkpoints)] = ()
    seconds: Annotated[dict[str, float], BeforeValidator(_known_seconds)] = {}
    first_step_seconds: Finite = None
    memory_bytes: Count | None = None
    inspection: Annotated[Inspection | None, BeforeValidator(_bounded)] = None
    message: Text | None = None
    end: EndRecord | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSnapshot:
    """The newest report of one attempt, and when this process heard it."""

    report: ProgressReport
    received_at: datetime
    advanced_at: datetime
    """When a report first showed the present activity, step and tokens: a pulse without work is a hang."""


def follow_up(old: ReportSnapshot | None, report: ProgressReport, *, now: datetime) -> ReportSnapshot:
    """The snapshot after `report` arrived; the old one if the report is older than what is known."""
    if old is None:
        return ReportSnapshot(report=report, received_at=now, advanced_at=now)
    # Zero is a driver's first report: KubeRay's submitter may have started the driver again in the same attempt.
    if 0 < report.sequence < old.report.sequence:
        return old
    advanced = _position(report) != _position(old.report)
    return ReportSnapshot(report=report, received_at=now, advanced_at=now if advanced else old.advanced_at)


def _position(report: ProgressReport) -> tuple[str, int, int]:
    return report.activity, report.step, report.tokens
