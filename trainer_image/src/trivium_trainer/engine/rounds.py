"""Sequences shared among ranks outside training: the same number of forward passes on each, as ZeRO-3 needs."""

import math
from collections.abc import Iterator

from trivium_trainer.data.order import Indices


def rounds(indices: Indices, *, rank: int, world_size: int, batch_size: int) -> Iterator[tuple[Indices, bool]]:
    """(sequences, whether they count) of each round of one rank.

    Every rank gets equally many rounds: where one has nothing left it repeats a sequence whose result is thrown away,
    because at ZeRO-3 each forward pass is a collective.
    """
    mine = indices[rank::world_size]
    longest = math.ceil(len(indices) / world_size)
    for start in range(0, longest, batch_size):
        part = mine[start : start + batch_size]
        yield (part, True) if len(part) else (indices[:1], False)
