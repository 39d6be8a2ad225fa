"""Goodput when faults are frequent: the planner's interval and the restart layers together, against the best possible."""

import pytest

from simulator.goodput import best_goodput, measure


@pytest.mark.parametrize(("rate", "steps"), [(30, 3000), (100, 6000), (1000, 20_000)])
def test_goodput_is_within_three_percent_of_the_best_that_any_interval_allows(rate, steps):
    goodput = measure(rate, steps=steps)
    assert goodput.faults >= 10
    assert goodput.ratio >= 0.97, str(goodput)


def test_the_best_is_known_where_it_can_be_worked_out_by_hand():
    # No fault in sight: only saving costs, once per 20 times the time between faults, the longest interval tried.
    assert best_goodput(save=2.0, mtbf=1e7, restart=60.0, step=1e5) > 0.99
    # One step of 10 s, saved in 10 s, and nothing ever fails within it: half the time at that interval.
    assert best_goodput(save=10.0, mtbf=10.0, restart=0.0, step=10.0) == pytest.approx(1 / 6.389, rel=1e-3)
