"""The digest of a spec's immutable part: what a run directory belongs to."""

import hashlib
import json
from typing import Any

from trivium.api import Job
from trivium.api.block import Block
from trivium.api.mutability import Change


def spec_digest(job: Job) -> str:
    """SHA-256 in hexadecimal of every field that is immutable once planned.

    Fields at their default are left out, so a version that adds a field does not orphan the runs of the one before.
    """
    text = json.dumps(_immutable(job.spec), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(f"{job.kind}\n{text}".encode()).hexdigest()


def _immutable(block: Block) -> dict[str, Any]:
    dumped = block.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    kept: dict[str, Any] = {}
    for name, field in type(block).model_fields.items():
        change = next(mark for mark in field.metadata if isinstance(mark, Change))
        alias = field.alias or name
        if change is Change.BY_FIELD:
            below = _immutable(getattr(block, name))
            if below:
                kept[alias] = below
        elif change is Change.NEVER and alias in dumped:
            kept[alias] = dumped[alias]
    return kept
