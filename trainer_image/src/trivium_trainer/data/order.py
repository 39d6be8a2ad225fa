"""Which samples an optimizer step trains: an endless stream of epoch permutations, computed and never stored.

    stream      | epoch 0: N samples     | epoch 1: N samples     | ...
    step s      | samples s*G .. s*G+G-1; a step may cross the border of two epochs, there is no partial batch
    left out    | whole steps, where training diverged on them (see data/skips.py); later steps move up
    rank r of W | positions r*G/W .. (r+1)*G/W - 1 of the step

Nothing here knows the world size before it is asked, so the order depends on seed, sources and G alone, and a resumed
run computes its place instead of skipping to it.

With sources of unequal weight an epoch is one pass over the first source; source j gives `draws[j]` samples to each
epoch from a stream of its own permutations that goes on from epoch to epoch, so it repeats or is spread evenly.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trivium_trainer.config import SkipWindow
from trivium_trainer.data.skips import data_step_of, data_steps_of

Indices = NDArray[np.int64]

_ROUNDS = 8  # four suffice for a pseudorandom permutation (Luby-Rackoff); twice that, because small domains mix slowly
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def _mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finalizer of splitmix64 (Steele, Lea, Flood 2014): every input bit reaches every output bit."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _round_keys(*, seed: int, stream: int, passes: Indices) -> NDArray[np.uint64]:
    """A key for each round and position: a chain of mixes, so that near inputs give unrelated keys. Shape: [R, n]."""
    state = np.zeros(len(passes), dtype=np.uint64)
    for part in (np.full(len(passes), seed % 2**64, dtype=np.uint64), np.full_like(state, stream), passes):
        state = _mix(state * np.uint64(3) + part.astype(np.uint64) + _GOLDEN)
    return _mix(state + np.arange(1, _ROUNDS + 1, dtype=np.uint64)[:, None] * _GOLDEN)


def permute(positions: Indices, *, size: int, seed: int, stream: int, passes: Indices) -> Indices:
    """Images of `positions` under bijections of [0, size): one for each (seed, stream, pass). Shapes: all [n].

    A balanced Feistel network on the next power of four, walked along its cycles until the value lies in the range
    (Black and Rogaway, 2002): at most four walks in the mean, no memory beyond the positions.
    """
    half = np.uint64(max(1, ((size - 1).bit_length() + 1) // 2))
    mask = (np.uint64(1) << half) - np.uint64(1)
    keys = _round_keys(seed=seed, stream=stream, passes=passes)
    values = positions.astype(np.uint64)
    outside = np.arange(len(values))
    while len(outside):
        left, right = values[outside] >> half, values[outside] & mask
        for round_keys in keys:
            left, right = right, left ^ (_mix(right + round_keys[outside]) & mask)
        values[outside] = (left << half) | right
        outside = outside[values[outside] >= size]
    return values.astype(np.int64)


class DataOrder:
    """The order of one run. Sample numbers index the prepared training set, source after source."""

    def __init__(
        self,
        *,
        sizes: Sequence[int],
        draws: Sequence[int],
        global_batch_size: int,
        seed: int,
        skips: Sequence[SkipWindow] = (),
    ) -> None:
        """`sizes[j]`: sequences of source j; `draws[j]`: how many of them each epoch takes (see data/mixture.py)."""
        assert len(sizes) == len(draws) > 0
        assert min(sizes) > 0
        assert min(draws) > 0
        self.global_batch_size = global_batch_size
        self.epoch_size = sum(draws)
        self._seed = seed
        self._sizes = sizes
        self._draws = draws
        self._skips = tuple(skips)
        self._first_sample = np.cumsum([0, *sizes])
        self._first_draw = np.cumsum([0, *draws])

    def indices(self, step: int) -> Indices:
        """The samples of optimizer step `step` (from 0). Shape: [globalBatchSize]."""
        start = (self.data_step(step + 1) - 1) * self.global_batch_size
        return self.samples(np.arange(start, start + self.global_batch_size, dtype=np.int64))

    def data_step(self, step: int) -> int:
        """Which global batch of the whole stream the `step`-th optimizer step trains, both counted from 1."""
        return data_step_of(step, self._skips)

    def first_steps(self, steps: int) -> Indices:
        """The samples of the first `steps` optimizer steps, in order. Shape: [steps * globalBatchSize]."""
        starts = (data_steps_of(np.arange(1, steps + 1, dtype=np.int64), self._skips) - 1) * self.global_batch_size
        return self.samples((starts[:, None] + np.arange(self.global_batch_size, dtype=np.int64)).reshape(-1))

    def rank_slice(self, step: int, *, rank: int, world_size: int) -> Indices:
        """The part of a step that one data-parallel rank trains. Shape: [globalBatchSize / worldSize]."""
        per_rank, remainder = divmod(self.global_batch_size, world_size)
        if remainder:
            raise ValueError(
                f"globalBatchSize: {self.global_batch_size} is not a multiple of {world_size} ranks. "
                f"Use {per_rank * world_size or world_size} or {(per_rank + 1) * world_size}."
            )
        return self.indices(step)[rank * per_rank : (rank + 1) * per_rank]

    def epoch(self, step: int) -> float:
        """Epochs passed when `step` optimizer steps are done; data that is left out has passed, too."""
        return self.data_step(step) * self.global_batch_size / self.epoch_size

    def samples(self, positions: Indices) -> Indices:
        """Sample numbers at absolute positions of the endless stream."""
        epochs, within = np.divmod(positions, self.epoch_size)
        draws = permute(within, size=self.epoch_size, seed=self._seed, stream=0, passes=epochs)
        sources = np.searchsorted(self._first_draw, draws, side="right") - 1
        result = np.empty_like(draws)
        for source in np.unique(sources):
            chosen = sources == source
            drawn = epochs[chosen] * self._draws[source] + draws[chosen] - self._first_draw[source]
            result[chosen] = self._first_sample[source] + self._of_source(drawn, source=int(source))
        return result

    def _of_source(self, drawn: Indices, *, source: int) -> Indices:
        """Positions in the source's own endless stream -> its sequences, each once in every pass."""
        passes, within = np.divmod(drawn, self._sizes[source])
        return permute(within, size=self._sizes[source], seed=self._seed, stream=1 + source, passes=passes)
