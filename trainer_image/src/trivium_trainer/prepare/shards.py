"""Writes one shard (data/shard_reader.py has the layout) while its examples are made, in constant memory."""

import shutil
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import DTypeLike, NDArray

from trivium_trainer.config import Block
from trivium_trainer.data.shard_reader import HELD_OUT, LENGTHS, MARKER, TOKENS, TRAINED, TRAINED_COUNTS
from trivium_trainer.durable import read_json, write_json
from trivium_trainer.prepare.example import Tokenized
from trivium_trainer.prepare.files import digest_file


class PartResult(Block):
    """marker.json of a shard: what one part of the input held."""

    rows: int = 0
    """Records read, bad ones included."""
    skipped: int = 0
    over_long: int = 0
    dropped: int = 0
    """Over-long rows of which nothing trained was left; counted in over_long too."""
    shortest_prompt: int | None = None
    """Of the dropped rows, in tokens."""
    examples: int = 0
    held_out: int = 0
    tokens: int = 0
    trained_tokens: int = 0
    length_histogram: dict[str, int] = {}
    first_bad_records: list[str] = []
    digests: dict[str, str] = {}


class GrowingArray:
    """An .npy file that is appended to. NumPy pads the header so that the first axis may grow in place."""

    def __init__(self, path: Path, dtype: DTypeLike, *, columns: int | None = None) -> None:
        self._file: BinaryIO = path.open("wb+")
        self._dtype = np.dtype(dtype)
        self._columns = columns
        self._rows = 0
        self._write_header()

    def append(self, values: NDArray[Any]) -> None:
        """Rows at the end; converted to the array's type, which must hold them."""
        self._rows += len(values)
        self._file.write(np.ascontiguousarray(values, dtype=self._dtype).tobytes())

    def close(self) -> None:
        """Write the final length. A second call does nothing."""
        if not self._file.closed:
            self._file.seek(0)
            self._write_header()
            self._file.close()

    def _write_header(self) -> None:
        shape = (self._rows,) if self._columns is None else (self._rows, self._columns)
        descriptor = npy_format.dtype_to_descr(self._dtype)
        npy_format.write_array_header_1_0(self._file, {"descr": descriptor, "fortran_order": False, "shape": shape})


class ShardWriter:
    """One shard in the making. Nothing counts before `finish`; as a context it closes its files however it is left."""

    def __init__(self, folder: Path, *, vocabulary: int, segments: int, masked: bool) -> None:
        """segments: 1, or 3 for preferences. masked: whether examples say which tokens are trained."""
        shutil.rmtree(folder, ignore_errors=True)  # what an attempt left that did not come to its marker
        folder.mkdir(parents=True)
        self._folder = folder
        token_type = np.uint16 if vocabulary <= 2**16 else np.uint32
        self._arrays = {
            TOKENS: GrowingArray(folder / TOKENS, token_type),
            LENGTHS: GrowingArray(folder / LENGTHS, np.int32, columns=segments),
            TRAINED_COUNTS: GrowingArray(folder / TRAINED_COUNTS, np.int32),
            HELD_OUT: GrowingArray(folder / HELD_OUT, np.bool_),
        }
        if masked:
            self._arrays[TRAINED] = GrowingArray(folder / TRAINED, np.bool_)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for array in self._arrays.values():
            array.close()

    def add(self, example: Tokenized, *, held_out: bool) -> None:
        for segment in example.segments:
            self._arrays[TOKENS].append(segment)
        self._arrays[LENGTHS].append(np.array([[len(segment) for segment in example.segments]]))
        self._arrays[TRAINED_COUNTS].append(np.array([example.trained_count]))
        self._arrays[HELD_OUT].append(np.array([held_out]))
        if TRAINED in self._arrays:
            assert example.trained is not None
            self._arrays[TRAINED].append(example.trained)

    def finish(self, result: PartResult) -> PartResult:
        """Close the arrays and write the marker, last: a shard without it is made again."""
        for array in self._arrays.values():
            array.close()
        digests = {name: digest_file(self._folder / name) for name in sorted(self._arrays)}
        complete = result.model_copy(update={"digests": digests})
        write_json(self._folder / MARKER, complete.model_dump(mode="json", by_alias=True))
        return complete


def read_marker(folder: Path) -> PartResult | None:
    """What the shard in `folder` holds; None where it is not complete."""
    value = read_json(folder / MARKER)
    return None if value is None else PartResult.model_validate(value)
