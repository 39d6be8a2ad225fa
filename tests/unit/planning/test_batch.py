"""The batch arithmetic: exact for every allowed world size, or a refusal that names values that are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivium.planning.batch import BatchCut, BatchError, allowed_world_sizes, check_divisible, cut_batch, halve

SIZES = st.integers(min_value=1, max_value=64)


@given(world=SIZES, per_rank=SIZES, limit=st.integers(min_value=1, max_value=100))
def test_a_cut_is_exact_and_takes_the_largest_micro_batch_within_the_limit(world, per_rank, limit):
    cut = cut_batch(global_batch=world * per_rank, world_size=world, largest_micro_batch=limit)
    assert cut.world_size * cut.micro_batch * cut.accumulation == world * per_rank
    assert cut.micro_batch <= limit
    larger = [m for m in range(cut.micro_batch + 1, min(limit, per_rank) + 1) if per_rank % m == 0]
    assert larger == []


@given(world=SIZES, per_rank=SIZES)
def test_halving_keeps_the_global_batch_and_ends_at_one_sequence(world, per_rank):
    cut = BatchCut(world_size=world, micro_batch=per_rank, accumulation=3)
    steps = 0
    while (smaller := halve(cut)) is not None:
        assert smaller.micro_batch <= cut.micro_batch // 2
        assert smaller.world_size * smaller.micro_batch * smaller.accumulation == world * per_rank * 3
        cut, steps = smaller, steps + 1
    assert cut.micro_batch == 1
    assert steps <= per_rank.bit_length()


@given(
    global_batch=st.integers(min_value=1, max_value=5000),
    workers=st.integers(min_value=1, max_value=6),
    minimum=st.integers(min_value=1, max_value=6),
    per_worker=st.sampled_from([1, 2, 4, 8]),
    micro_batch=st.integers(min_value=1, max_value=6),
)
def test_a_refused_batch_names_neighbours_that_are_accepted(global_batch, workers, minimum, per_worker, micro_batch):
    worlds = allowed_world_sizes(min_workers=min(minimum, workers), workers=workers, ranks_per_worker=per_worker)
    if all(global_batch % (world * micro_batch) == 0 for world in worlds):
        check_divisible(global_batch=global_batch, world_sizes=worlds, micro_batch=micro_batch)
        return
    with pytest.raises(BatchError) as caught:
        check_divisible(global_batch=global_batch, world_sizes=worlds, micro_batch=micro_batch)
    assert caught.value.nearest
    for value in caught.value.nearest:
        assert value > 0
        check_divisible(global_batch=value, world_sizes=worlds, micro_batch=micro_batch)


def test_the_refusal_counts_what_one_step_of_all_ranks_takes():
    with pytest.raises(BatchError, match="128 is not a multiple of 6 sequences × 8 ranks = 48") as caught:
        check_divisible(global_batch=128, world_sizes=(8,), micro_batch=6)
    assert caught.value.nearest == (96, 144)


def test_an_elastic_job_may_have_every_number_of_workers_between_its_bounds():
    assert allowed_world_sizes(min_workers=2, workers=4, ranks_per_worker=8) == (16, 24, 32)
