"""Splits as indices over shards: which pieces make which row (data/examples.py reads them)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trivium_trainer.data.examples import PIECES, ROW_STARTS, ROW_TOKENS, SOURCE_ROWS
from trivium_trainer.data.shard_reader import HELD_OUT, LENGTHS, TRAINED_COUNTS, load_array
from trivium_trainer.prepare.detect import Recipe
from trivium_trainer.prepare.pack import best_fit_decreasing, cut_documents

Int64s = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleTable:
    """The examples of one source in one split."""

    shards: Int64s
    """Shard of each example [E]."""
    offsets: Int64s
    """Its first token there [E]."""
    segments: Int64s
    """Tokens of each of its segments [E, S]."""
    trained_counts: Int64s

    def __len__(self) -> int:
        return len(self.shards)

    @property
    def lengths(self) -> Int64s:
        """Tokens of each example [E]."""
        return self.segments.sum(axis=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows of one source: pieces [P, 3], the row of each piece in rising order [P], trained tokens of each row [R]."""

    pieces: Int64s
    row_of_piece: Int64s
    trained_tokens: Int64s


def read_table(folders: Sequence[tuple[int, Path]], *, held_out: bool) -> ExampleTable:
    """The examples of one side of the split, from (number, folder) of a source's shards in order."""
    tables = [_read_shard(number, folder, held_out=held_out) for number, folder in folders]
    return ExampleTable(
        shards=np.concatenate([table.shards for table in tables]),
        offsets=np.concatenate([table.offsets for table in tables]),
        segments=np.concatenate([table.segments for table in tables]),
        trained_counts=np.concatenate([table.trained_counts for table in tables]),
    )


def join_tables(tables: Sequence[ExampleTable]) -> ExampleTable:
    """Several sources as one: the held-out rows of all make one evaluation set."""
    return ExampleTable(
        shards=np.concatenate([table.shards for table in tables]),
        offsets=np.concatenate([table.offsets for table in tables]),
        segments=np.concatenate([table.segments for table in tables]),
        trained_counts=np.concatenate([table.trained_counts for table in tables]),
    )


def _read_shard(number: int, folder: Path, *, held_out: bool) -> ExampleTable:
    segments = load_array(folder / LENGTHS).astype(np.int64)
    chosen = np.flatnonzero(load_array(folder / HELD_OUT) == held_out)
    totals = segments.sum(axis=1)
    return ExampleTable(
        shards=np.full(len(chosen), number, dtype=np.int64),
        offsets=(np.cumsum(totals) - totals)[chosen],
        segments=segments[chosen],
        trained_counts=load_array(folder / TRAINED_COUNTS).astype(np.int64)[chosen],
    )


def build_rows(table: ExampleTable, *, recipe: Recipe, packing: bool, max_length: int) -> Rows:
    """The rows of one source: cut documents, packed examples, single examples, or pairs."""
    if recipe == "pretrain":
        return _cut(table, max_length=max_length)
    if recipe == "dpo":
        return _pairs(table)
    row_of = best_fit_decreasing(table.lengths, capacity=max_length) if packing else np.arange(len(table))
    order = np.argsort(row_of, kind="stable")
    pieces = np.stack([table.shards, table.offsets, table.lengths], axis=1)[order]
    rows = int(row_of.max()) + 1 if len(row_of) else 0
    trained = np.bincount(row_of, weights=table.trained_counts, minlength=rows).astype(np.int64)
    return Rows(pieces=pieces, row_of_piece=row_of[order], trained_tokens=trained)


def _cut(table: ExampleTable, *, max_length: int) -> Rows:
    documents, offsets, lengths, row_of = cut_documents(table.lengths, capacity=max_length)
    pieces = np.stack([table.shards[documents], table.offsets[documents] + offsets, lengths], axis=1)
    # The first token of a piece is not trained: nothing of its document stands before it in the row.
    trained = np.bincount(row_of, weights=lengths - 1).astype(np.int64)
    if len(trained) and trained[-1] == 0:
        pieces, row_of, trained = pieces[row_of < len(trained) - 1], row_of[row_of < len(trained) - 1], trained[:-1]
    return Rows(pieces=pieces, row_of_piece=row_of, trained_tokens=trained)


def _pairs(table: ExampleTable) -> Rows:
    starts = table.offsets[:, None] + np.cumsum(table.segments, axis=1) - table.segments
    pieces = np.stack([np.broadcast_to(table.shards[:, None], starts.shape), starts, table.segments], axis=2)
    count = table.segments.shape[1]
    return Rows(
        pieces=pieces.reshape(-1, 3),
        row_of_piece=np.repeat(np.arange(len(table)), count),
        trained_tokens=table.trained_counts,
    )


def write_index(folder: Path, sources: Sequence[Rows]) -> None:
    """One split: its sources one after another."""
    folder.mkdir(parents=True, exist_ok=True)
    sizes = np.array([len(rows.trained_tokens) for rows in sources], dtype=np.int64)
    first_row = np.cumsum(sizes) - sizes
    row_of_piece = np.concatenate([rows.row_of_piece + first for rows, first in zip(sources, first_row, strict=True)])
    row_starts = np.searchsorted(row_of_piece, np.arange(sizes.sum() + 1))
    np.save(folder / PIECES, np.concatenate([rows.pieces for rows in sources]).astype(np.int64))
    np.save(folder / ROW_STARTS, row_starts.astype(np.int64))
    np.save(folder / ROW_TOKENS, np.concatenate([rows.trained_tokens for rows in sources]).astype(np.int32))
    np.save(folder / SOURCE_ROWS, sizes)
