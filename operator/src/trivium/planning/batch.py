"""The global batch, cut exactly: sequences = ranks · micro-batch · accumulation, for every allowed number of ranks."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import lcm

LARGEST_BATCH = 1_000_000
"""The API's bound of globalBatchSize."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchCut:
    """How one number of ranks trains the global batch. The product of the three is the global batch."""

    world_size: int
    micro_batch: int
    accumulation: int


class BatchError(ValueError):
    """A remainder. `nearest` are the global batches that work, below and above, as far as the API allows them."""

    def __init__(self, message: str, *, nearest: Sequence[int]) -> None:
        super().__init__(message)
        self.nearest = tuple(nearest)


def allowed_world_sizes(*, min_workers: int, workers: int, ranks_per_worker: int) -> tuple[int, ...]:
    """Every number of ranks that a run may have, from the smallest."""
    return tuple(count * ranks_per_worker for count in range(min_workers, workers + 1))


def check_divisible(*, global_batch: int, world_sizes: Sequence[int], micro_batch: int = 1) -> None:
    """Refuse a remainder at any allowed number of ranks. Units: sequences.

    Raises BatchError: a changed global batch would also move the data position on resume.
    """
    for world_size in world_sizes:
        if global_batch % (world_size * micro_batch):
            nearest = _nearest_multiples(global_batch, [size * micro_batch for size in world_sizes])
            cut = f"{micro_batch} sequences × {world_size} ranks = {world_size * micro_batch}"
            what = cut if micro_batch > 1 else f"{world_size} ranks"
            raise BatchError(f"{global_batch} is not a multiple of {what}", nearest=nearest)


def _nearest_multiples(value: int, factors: Sequence[int]) -> tuple[int, ...]:
    """The multiples of all factors below and above a value; none where they are beyond any batch."""
    step = 1
    for factor in factors:
        step = lcm(step, factor)
        if step > LARGEST_BATCH:
            return ()
    below = value // step * step
    return tuple(multiple for multiple in (below, below + step) if 0 < multiple <= LARGEST_BATCH)


def cut_batch(*, global_batch: int, world_size: int, largest_micro_batch: int) -> BatchCut:
    """The largest micro-batch up to a limit that leaves no remainder.

    Raises BatchError on a remainder by ranks; assert on a limit below one, which is memory's refusal to make.
    """
    assert largest_micro_batch >= 1
    check_divisible(global_batch=global_batch, world_sizes=(world_size,))
    per_rank = global_batch // world_size
    micro_batch = next(size for size in range(min(per_rank, largest_micro_batch), 0, -1) if per_rank % size == 0)
    return BatchCut(world_size=world_size, micro_batch=micro_batch, accumulation=per_rank // micro_batch)


def halve(cut: BatchCut) -> BatchCut | None:
    """The same batch in smaller bites: the largest divisor at most half the micro-batch; None at one sequence."""
    if cut.micro_batch == 1:
        return None
    return cut_batch(
        global_batch=cut.world_size * cut.micro_batch * cut.accumulation,
        world_size=cut.world_size,
        largest_micro_batch=cut.micro_batch // 2,
    )
