"""Files -> records: one JSON object, one table row, or one document at a time, with the place where it stands."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from trivium_trainer.prepare.files import InputFile
from trivium_trainer.prepare.problems import BadRecordError, excerpt

_PARQUET_BATCH_ROWS = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record as the file has it."""

    location: str
    """`file:line`, or `file: row n`."""
    values: dict[str, Any]


def read_records(root: Path, file: InputFile) -> Iterator[Record | BadRecordError]:
    """The records of one file in order; what cannot be decoded comes as an error in its place."""
    path = root / file.path
    match file.type:
        case "jsonl":
            return _read_json(path, name=file.path)
        case "parquet":
            return _read_parquet(path, name=file.path)
        case "text":
            return _read_text(path, name=file.path)


def _read_json(path: Path, *, name: str) -> Iterator[Record | BadRecordError]:
    with path.open("rb") as lines:
        if path.suffix.lower() == ".json" and lines.read(64).lstrip()[:1] == b"[":
            yield from _read_json_array(path, name=name)
            return
        lines.seek(0)
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield _decode_line(line, location=f"{name}:{number}")


def _decode_line(line: bytes, *, location: str) -> Record | BadRecordError:
    try:
        value = json.loads(line.decode("utf-8-sig"))
        if b"\\u" in line:
            # An escaped half of a surrogate pair is legal JSON and no text: a tokenizer would fail on it.
            json.dumps(value, ensure_ascii=False).encode()
        return _as_record(value, location=location)
    except UnicodeEncodeError:
        return BadRecordError(location, "holds half of a surrogate pair, which is no character")
    except UnicodeDecodeError as error:
        return BadRecordError(location, f"not UTF-8 (byte {error.start} of the line)")
    except (json.JSONDecodeError, RecursionError) as error:
        return BadRecordError(location, f"not JSON ({error}): {excerpt(line.decode(errors='replace'))}")


def _read_json_array(path: Path, *, name: str) -> Iterator[Record | BadRecordError]:
    try:
        array = json.loads(path.read_text(encoding="utf-8-sig"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        yield BadRecordError(name, f"not a JSON array in UTF-8 ({error})")
        return
    for number, value in enumerate(array, start=1):
        yield _as_record(value, location=f"{name}: item {number}")


def _as_record(value: object, *, location: str) -> Record | BadRecordError:
    if isinstance(value, dict):
        return Record(location=location, values=value)
    return BadRecordError(location, f"not a JSON object: {excerpt(value)}")


def _read_parquet(path: Path, *, name: str) -> Iterator[Record | BadRecordError]:
    number = 0
    try:
        with pq.ParquetFile(path) as table:
            for batch in table.iter_batches(batch_size=_PARQUET_BATCH_ROWS):
                for values in batch.to_pylist():
                    number += 1
                    yield Record(location=f"{name}: row {number}", values=values)
    except (pa.ArrowException, OSError) as error:
        yield BadRecordError(f"{name}: row {number + 1}", f"not readable as parquet ({excerpt(str(error))})")


def _read_text(path: Path, *, name: str) -> Iterator[Record | BadRecordError]:
    """A text file is one document."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        yield BadRecordError(name, f"not UTF-8 (byte {error.start})")
        return
    if text.strip():
        yield Record(location=name, values={"text": text})
