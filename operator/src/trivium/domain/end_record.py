"""The trainer's last word, read as a tenant's text: from the tail of a log, or out of a progress report.

The contract is `trivium_trainer.failure.EndRecord`; this side keeps its own model, tolerant of fields that a newer
trainer adds and strict about size, because what it holds ends in the status that everybody reads.
"""

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

RECORD_PREFIX = "TRIVIUM-RECORD "
UNKNOWN_STAGE = "unknown"
_MAX_RECORD_CHARACTERS = 8192  # the trainer writes at most 4 KiB; twice that leaves room for escapes


def clean_text(value: Any, *, limit: int = 1024) -> Any:
    """Strip control characters and cut; a tenant's text must not move the cursor of who reads the status."""
    if not isinstance(value, str):
        return value
    return "".join(c for c in value if c == "\n" or (c.isprintable() and c != "\x7f"))[:limit]


def _clean_word(value: Any) -> Any:
    return clean_text(value, limit=64)


Text = Annotated[str, BeforeValidator(clean_text)]
Word = Annotated[str, BeforeValidator(_clean_word)]
Digest = Annotated[str, Field(pattern=r"^[A-Za-z0-9:+/=_.-]{1,128}$")]


class UntrustedBlock(BaseModel):
    """camelCase outside, snake_case inside, frozen; unknown fields are dropped, because trainers may be newer."""

    model_config = ConfigDict(
        extra="ignore", frozen=True, alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
    )


class RecordedFailure(UntrustedBlock):
    """Why the trainer says it failed."""

    failure_class: Word = Field(alias="class")
    reason: Word = ""
    message: Text = ""
    remedy: Text = ""
    rank: int | None = Field(default=None, ge=0, le=10_000_000)
    exit_code: int | None = Field(default=None, ge=0, le=255)
    step: int | None = Field(default=None, ge=0, le=1 << 53)
    data_step: int | None = Field(default=None, ge=0, le=1 << 53)


class EndRecord(UntrustedBlock):
    """How the trainer says its stage ended."""

    outcome: Literal["complete", "failed", "stopped"]
    stage: Word
    step: int = Field(default=0, ge=0, le=1 << 53)
    failure: RecordedFailure | None = None
    output_digest: Digest | None = None
    restarts: int = Field(default=0, ge=0, le=1_000_000)
    """This and the next two as in the final report (domain.report), for where that never arrives."""
    preemptions: int = Field(default=0, ge=0, le=1_000_000)
    earlier_restarts: int = Field(default=0, ge=0, le=1_000_000)

    def speaks_of(self, stage: str) -> bool:
        """Whether it is about this stage. A trainer that could not read its RunConfig does not know its own."""
        return self.stage == stage or (self.outcome == "failed" and self.stage == UNKNOWN_STAGE)


def parse_end_record(log_tail: str | None) -> EndRecord | None:
    """The last well-formed record in `RayJob.status.message`, or None. Never raises: the text is anybody's.

    KubeRay puts Ray's own words before the log's tail, and Ray may append a line after the driver's last one.
    """
    if not log_tail:
        return None
    start = len(log_tail)
    while (start := log_tail.rfind(RECORD_PREFIX, 0, start)) >= 0:
        line = log_tail[start + len(RECORD_PREFIX) :].split("\n", 1)[0]
        record = _decode(line[:_MAX_RECORD_CHARACTERS])
        if record is not None:
            return record
    return None


def _decode(text: str) -> EndRecord | None:
    try:
        # raw_decode: a terminal's carriage return or Ray's own words may follow on the same line
        payload, _ = json.JSONDecoder().raw_decode(text)
        return EndRecord.model_validate(payload)
    except (ValueError, ValidationError, RecursionError):
        return None
