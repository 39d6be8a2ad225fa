"""The prepared sequences of one split, read by number.

A split is an index over shards, so packing and cutting never copy a token:

    row_starts [R+1] -> pieces [P, 3] = (shard, offset, length) -> tokens of the shard

A row is one sequence of training. Its pieces are whole examples (SFT), slices of documents (pre-training), or the
three segments of one pair (preferences: prompt, chosen, rejected).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trivium_trainer.data.shard_reader import Shard, load_array

IGNORED = -100
"""The label of a token that is not trained; the value that cross-entropy leaves out by default."""

PIECES, ROW_STARTS, ROW_TOKENS, SOURCE_ROWS = "pieces.npy", "row_starts.npy", "trained_tokens.npy", "source_rows.npy"
Layout = Literal["rows", "pairs"]
Sequence64 = dict[str, NDArray[np.int64]]


class Examples:
    """A split, memory-mapped. Cheap to open, and safe to hold in every worker."""

    def __init__(self, index: Path, *, shards: Sequence[Path], layout: Layout) -> None:
        self.layout = layout
        self.trained_tokens = load_array(index / ROW_TOKENS)
        """Trained tokens of each sequence, int32 [R]: a step's global count needs no communication."""
        self.source_sizes: list[int] = load_array(index / SOURCE_ROWS).tolist()
        """Sequences of each source; the sources follow one another."""
        self._pieces = load_array(index / PIECES)
        self._row_starts = load_array(index / ROW_STARTS)
        self._folders = list(shards)
        self._shards: dict[int, Shard] = {}

    def __len__(self) -> int:
        return len(self._row_starts) - 1

    def sequence(self, number: int) -> Sequence64:
        """One sequence as int64 arrays.

        rows: input_ids, labels, position_ids, each [T]. Labels are IGNORED where a token is not trained and at the
        first token of every piece, whose context would be another example; position_ids restart at 0 there.
        pairs: for side in chosen, rejected: <side>_input_ids and <side>_completion_mask (0 on the prompt), each [T].
        """
        if not 0 <= number < len(self):
            raise IndexError(f"sequence {number} of {len(self)}")
        first, last = int(self._row_starts[number]), int(self._row_starts[number + 1])
        pieces = [(int(s), int(o), int(n)) for s, o, n in self._pieces[first:last]]
        return self._pair(pieces) if self.layout == "pairs" else self._row(pieces)

    def _row(self, pieces: list[tuple[int, int, int]]) -> Sequence64:
        total = sum(length for _, _, length in pieces)
        ids, positions = np.empty(total, dtype=np.int64), np.empty(total, dtype=np.int64)
        labels = np.full(total, IGNORED, dtype=np.int64)
        at = 0
        for shard_number, offset, length in pieces:
            shard, end = self._shard(shard_number), at + length
            ids[at:end] = shard.tokens[offset : offset + length]
            positions[at:end] = np.arange(length)
            if shard.trained is None:
                labels[at + 1 : end] = ids[at + 1 : end]
            else:
                trained = shard.trained[offset + 1 : offset + length]
                labels[at + 1 : end][trained] = ids[at + 1 : end][trained]
            at = end
        return {"input_ids": ids, "labels": labels, "position_ids": positions}

    def _pair(self, pieces: list[tuple[int, int, int]]) -> Sequence64:
        prompt, chosen, rejected = (
            self._shard(shard).tokens[offset : offset + length].astype(np.int64) for shard, offset, length in pieces
        )
        result: Sequence64 = {}
        for side, completion in (("chosen", chosen), ("rejected", rejected)):
            result[f"{side}_input_ids"] = np.concatenate([prompt, completion])
            mask = np.zeros(len(prompt) + len(completion), dtype=np.int64)
            mask[len(prompt) :] = 1
            result[f"{side}_completion_mask"] = mask
        return result

    def _shard(self, number: int) -> Shard:
        if number not in self._shards:
            self._shards[number] = Shard.open(self._folders[number])
        return self._shards[number]
