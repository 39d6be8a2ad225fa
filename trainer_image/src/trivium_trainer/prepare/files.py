"""Which files of a source are read, what they are, and their digests."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Literal

from fsspec.utils import glob_translate

from trivium_trainer.config import Block, DataSource
from trivium_trainer.prepare.problems import data_error, field_of

FileType = Literal["jsonl", "parquet", "text"]

_TYPES: dict[str, FileType] = {
    ".jsonl": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".txt": "text",
    ".md": "text",
    ".py": "text",
    ".rst": "text",
}
# Names of splits as data sets on the hub use them: train-00000-of-00002.parquet, validation.jsonl, test/0.jsonl.
_SPLITS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev", "eval"),
    "test": ("test", "testing"),
}
_DIGEST_THREADS = 8  # SHA-256 releases the interpreter lock; more than a claim's parallel readers brings nothing


class InputFile(Block):
    """One file that is read, as it was when it was resolved."""

    path: str
    """Relative to the source's root."""
    type: FileType
    bytes: int
    sha256: str


def digest_file(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_files(root: Path, paths: Sequence[str]) -> list[str]:
    """SHA-256 of each file, in order."""
    with ThreadPoolExecutor(_DIGEST_THREADS) as pool:
        return list(pool.map(lambda path: digest_file(root / path), paths))


def digest_text(*parts: str) -> str:
    """SHA-256 over several texts; the length of each is part of it, so borders cannot move."""
    digest = hashlib.sha256()
    for part in parts:
        content = part.encode()
        digest.update(f"{len(content)}:".encode() + content)
    return digest.hexdigest()


def select_files(source: DataSource, names: Iterable[str]) -> dict[str, FileType]:
    """The files of one source in name order, with their types. `names` are relative to the source's root.

    Raises DataError where none is left, and says which step left none.
    """
    visible = sorted(name for name in names if not any(part.startswith(".") for part in PurePosixPath(name).parts))
    matches = re.compile(glob_translate(source.files.glob)).match
    globbed = [name for name in visible if matches(name)]
    if not globbed:
        raise data_error(
            "NoFiles",
            f"{field_of(source)}.files.glob: {source.files.glob} matches none of {len(visible)} files"
            f"{_examples(visible)}.",
            remedy="Correct the glob or the path of the source.",
        )
    typed = _typed(source, globbed)
    chosen = {name: kind for name, kind in typed.items() if kind == "text" or _is_in_config(source, name)}
    return _of_split(source, chosen or typed)


def _typed(source: DataSource, names: Sequence[str]) -> dict[str, FileType]:
    if source.files.type is not None:
        return dict.fromkeys(names, source.files.type)
    typed = {name: _TYPES[suffix] for name in names if (suffix := PurePosixPath(name).suffix.lower()) in _TYPES}
    if not typed:
        raise data_error(
            "UnknownFileType",
            f"{field_of(source)}.files.type: the suffixes of {len(names)} files are not known{_examples(names)}.",
            remedy="Set type to jsonl, parquet or text.",
        )
    # A folder of rows often carries a README.md or a script: prose beside rows is not data.
    rows: dict[str, FileType] = {name: kind for name, kind in typed.items() if kind != "text"}
    return rows or typed


def _is_in_config(source: DataSource, name: str) -> bool:
    """Whether a file belongs to the data set configuration of a hub source: by a folder or a word of its name."""
    config = source.source.hub.config if source.source.hub is not None else None
    return (
        config is None or config in PurePosixPath(name).parts or config in re.split(r"[._]", PurePosixPath(name).stem)
    )


def _of_split(source: DataSource, typed: dict[str, FileType]) -> dict[str, FileType]:
    splits = {name: split_of(name) if kind != "text" else None for name, kind in typed.items()}
    wanted = next((key for key, names in _SPLITS.items() if source.split in names), source.split)
    chosen = {name: kind for name, kind in typed.items() if splits[name] == wanted}
    if chosen:
        return chosen
    unmarked = {name: kind for name, kind in typed.items() if splits[name] is None}
    if wanted == "train" and unmarked:
        return unmarked
    found = sorted({split for split in splits.values() if split is not None}) or ["train"]
    raise data_error(
        "EmptySplit",
        f"{field_of(source)}.split: {source.split} has no file; the source has {', '.join(found)}.",
        remedy=f"Set split to {' or '.join(found)}, or name the files with files.glob.",
    )


def split_of(name: str) -> str | None:
    """The split that a file's name or one of its folders says: train, validation or test."""
    path = PurePosixPath(name)
    words = [re.split(r"[-._]", path.stem.lower())[0], *(part.lower() for part in path.parts[:-1])]
    return next((key for key, names in _SPLITS.items() for word in words if word in names), None)


def _examples(names: Sequence[str]) -> str:
    return f" ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})" if names else ""
