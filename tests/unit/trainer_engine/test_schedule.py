"""The learning rate as a function of the step: its ends, its order, and no state."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivium_trainer.config import Optimization
from trivium_trainer.engine.schedule import learning_rate_at


def optimization(**changes) -> Optimization:
    return Optimization(**({"total_steps": 100, "global_batch_size": 8, "learning_rate": 1e-3} | changes))


@pytest.mark.parametrize("schedule", ["cosine", "linear"])
def test_the_rate_climbs_to_its_peak_and_falls_to_its_floor(schedule):
    settings = optimization(schedule=schedule, warmup_fraction=0.1, minimum_learning_rate_fraction=0.2)
    rates = [learning_rate_at(step, settings) for step in range(100)]
    assert rates[0] == pytest.approx(1e-4)  # a tenth of the way, so the first step trains
    assert rates[9] == rates[10] == 1e-3  # the end of warm-up and the start of the decay
    assert rates[99] == pytest.approx(2e-4)
    assert all(earlier > later for earlier, later in itertools.pairwise(rates[10:]))


def test_a_constant_rate_stays():
    assert {learning_rate_at(step, optimization(schedule="constant")) for step in range(3, 100)} == {1e-3}


@given(
    total=st.integers(1, 50),
    warmup=st.floats(0, 1),
    floor=st.floats(0, 1),
    schedule=st.sampled_from(["cosine", "linear", "constant"]),
)
def test_no_length_of_run_gives_a_rate_outside_its_bounds(total, warmup, floor, schedule):
    settings = optimization(
        total_steps=total, warmup_fraction=warmup, minimum_learning_rate_fraction=floor, schedule=schedule
    )
    for step in range(total):
        assert 0 <= learning_rate_at(step, settings) <= 1e-3 * (1 + 1e-12)
