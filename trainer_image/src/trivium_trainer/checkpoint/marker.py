"""The marker of a checkpoint: what it holds, of which run, and the digest of every file in it."""

import hashlib
import json
from pathlib import Path

from pydantic import ValidationError

from trivium_trainer.config import Block, SkipWindow
from trivium_trainer.durable import sync, write_durably
from trivium_trainer.layout import MARKER

CHUNK_BYTES = 16 * 2**20


class FileDigest(Block):
    """One file of a checkpoint, path relative to its folder."""

    path: str
    bytes: int
    sha256: str


class EvaluationRecord(Block):
    """One held-out loss over all evaluation sets; early stopping looks back at these."""

    step: int
    loss: float
    losses: dict[str, float] = {}
    """The same of each set, by its name."""


class Marker(Block):
    """`marker.json`. A reader trusts nothing of a folder without it."""

    api_version: str = "checkpoint.trivium.dev/v1alpha1"
    step: int
    tokens: int
    """Trained tokens over all attempts."""
    world_size: int
    zero_stage: int
    global_batch_size: int
    micro_batch_size: int
    data_digest: str
    model_digest: str
    evaluations: list[EvaluationRecord] = []
    skips: list[SkipWindow] = []
    """Data that was left out on the way here, and data that will be."""
    files: list[FileDigest]

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)


def read_marker(folder: Path) -> Marker | None:
    """The marker of a complete checkpoint; None if there is none or it cannot be read."""
    try:
        return Marker.model_validate_json((folder / MARKER).read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValidationError):
        return None


def write_marker(folder: Path, marker: Marker) -> None:
    """Complete the checkpoint: the marker appears whole or not at all, and after a crash it is still there."""
    text = json.dumps(marker.model_dump(mode="json", by_alias=True), indent=1)
    write_durably(folder / MARKER, text.encode())
    sync(folder.parent)


def digest_file(folder: Path, path: Path) -> FileDigest:
    """Size and SHA-256 of a file that is already on disk."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return FileDigest(path=str(path.relative_to(folder)), bytes=path.stat().st_size, sha256=digest.hexdigest())


def find_damage(folder: Path, file: FileDigest) -> str | None:
    """What is wrong with one file of a checkpoint, or None. The size is looked at first: it is free."""
    path = folder / file.path
    if not path.is_file():
        return f"{file.path} is missing"
    if path.stat().st_size != file.bytes:
        return f"{file.path} has {path.stat().st_size:,} bytes instead of {file.bytes:,}"
    if digest_file(folder, path).sha256 != file.sha256:
        return f"{file.path} has changed"
    return None
