"""Which examples share a row. Pure index arithmetic: no token is touched."""

import numpy as np
from numpy.typing import NDArray

Int64s = NDArray[np.int64]

_BATCH_FOR_ESTIMATE = 8  # a usual micro-batch; the saving changes little between 4 and 16
WORTHWHILE_SAVING = 0.2
"""`packing: auto` packs where it saves at least this share of the token positions that padding would compute."""


def best_fit_decreasing(lengths: Int64s, *, capacity: int) -> Int64s:
    """The row of each example, so that no row holds more than `capacity` tokens. Shape: [E] -> [E].

    Each example, longest first, goes into the fullest row that has room (at most 11/9 of the fewest rows possible:
    Johnson, 1973). Rows are numbered as they are opened. The bits of `open_rooms` say which amounts of room exist, so
    finding the tightest fit is a shift and a count of zeros instead of a search.
    """
    assert not len(lengths) or lengths.max() <= capacity
    rows_by_room: list[list[int]] = [[] for _ in range(capacity + 1)]
    open_rooms = 0
    row_of = np.empty(len(lengths), dtype=np.int64)
    next_row = 0
    for example in np.argsort(-lengths, kind="stable"):
        length = int(lengths[example])
        fitting = open_rooms >> length
        if fitting:
            room = length + (fitting & -fitting).bit_length() - 1
            row = rows_by_room[room].pop()
            if not rows_by_room[room]:
                open_rooms ^= 1 << room
        else:
            room, row, next_row = capacity, next_row, next_row + 1
        row_of[example] = row
        if room > length:
            rows_by_room[room - length].append(row)
            open_rooms |= 1 << (room - length)
    return row_of


def packing_saves(lengths: Int64s, *, capacity: int) -> float:
    """Share of token positions that packed rows save against padding batches of examples to their longest."""
    padded_to = [
        int(lengths[start : start + _BATCH_FOR_ESTIMATE].max()) * len(lengths[start : start + _BATCH_FOR_ESTIMATE])
        for start in range(0, len(lengths), _BATCH_FOR_ESTIMATE)
    ]
    padded = sum(padded_to)
    packed = (int(best_fit_decreasing(lengths, capacity=capacity).max()) + 1) * capacity
    return 1 - packed / padded


def cut_documents(lengths: Int64s, *, capacity: int) -> tuple[Int64s, Int64s, Int64s, Int64s]:
    """A stream of documents cut into rows of `capacity` tokens; the last row may be shorter.

    Returns, for each piece: its document, its offset in the document, its length, its row. A document that crosses the
    border of a row becomes two pieces.

        documents  |--- 0 ---|-- 1 --|---------- 2 ----------|
        rows       |----- 0 -----|----- 1 -----|----- 2 ---~~|
        pieces     |--- 0 ---|-1-|-2-|--- 3 ---|---- 4 ----|
    """
    total = int(lengths.sum())
    ends = np.cumsum(lengths)
    starts = np.union1d(ends - lengths, np.arange(0, total, capacity, dtype=np.int64))
    documents = np.searchsorted(ends, starts, side="right")
    offsets = starts - (ends - lengths)[documents]
    piece_lengths = np.diff(np.append(starts, total))
    return documents, offsets, piece_lengths, starts // capacity
