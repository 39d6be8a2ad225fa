"""The statistics of the benchmarks: intervals by order statistics, the goal's verdict, and the refusal of other work."""

import json
from math import nan

import pytest
from benchmarks.comparison import (
    Bench,
    DifferentWorkError,
    Goal,
    Settings,
    measure,
    ratio,
    require_same_work,
    rounds,
)
from benchmarks.interval import median_interval
from hypothesis import given
from hypothesis import strategies as st

RATIOS = st.lists(st.floats(min_value=0.1, max_value=10), min_size=1, max_size=60)


@given(RATIOS)
def test_the_median_lies_in_its_interval(values):
    interval = median_interval(values)
    assert min(values) <= interval.low <= interval.median <= interval.high <= max(values)


@given(RATIOS, st.randoms())
def test_the_order_of_the_pairs_does_not_matter(values, random):
    shuffled = list(values)
    random.shuffle(shuffled)
    assert median_interval(shuffled) == median_interval(values)


# 1 - 2 · P(Binomial(n, 1/2) < k): n=5, k=1: 1 - 2/32; n=8, k=2: 1 - 2·9/256; n=20, k=6: 1 - 2·21700/2^20.
@pytest.mark.parametrize(
    ("count", "want_low", "want_high", "want_coverage"),
    [(1, 0, 0, 0.0), (2, 0, 1, 0.5), (5, 0, 4, 0.9375), (8, 1, 6, 0.9296875), (20, 5, 14, 0.95861053)],
)
def test_the_interval_is_the_narrowest_that_covers_nine_tenths(count, want_low, want_high, want_coverage):
    interval = median_interval([float(value) for value in reversed(range(count))])
    assert (interval.low, interval.high) == (want_low, want_high)
    assert interval.coverage == pytest.approx(want_coverage)


def test_a_goal_is_met_if_the_interval_reaches_it():
    interval = median_interval([0.90, 0.95, 0.96, 0.965, 0.97])
    assert interval.reaches(0.97, at_least=True)
    assert not interval.reaches(0.98, at_least=True)
    assert interval.reaches(0.90, at_least=False)
    assert not interval.reaches(0.89, at_least=False)


def test_ratios_are_taken_within_a_pair():
    goal = Goal(title="t", side="a", against="b", figure="seconds", goal=1.0)
    measured = [
        {"a": {"seconds": 2.0}, "b": {"seconds": 1.0}},
        {"a": {"seconds": 40.0}, "b": {"seconds": 20.0}},
        {"a": {"seconds": 0.6}, "b": {"seconds": 0.3}},
    ]
    assert ratio(goal, measured).median == pytest.approx(2.0)


def test_every_side_runs_once_a_round_and_each_is_the_first_in_turn():
    calls = []

    def side(name):
        return lambda: calls.append(name) or {"seconds": 1.0}

    bench = Bench(sides={name: side(name) for name in "abc"})
    assert [list(one) for one in rounds(bench, pairs=4)] == [["a", "b", "c"]] * 4
    assert "".join(calls) == "abc" + "bca" + "cab" + "abc"


def test_sides_that_do_other_work_are_not_compared():
    same = {"a": {"firstLoss": 8.0, "lastLoss": 7.0}, "b": {"firstLoss": 8.00005, "lastLoss": 7.005}}
    require_same_work(same, ["a", "b"])
    for figure, value in (("firstLoss", 8.001), ("lastLoss", 7.1), ("firstLoss", nan)):
        with pytest.raises(DifferentWorkError, match=figure):
            require_same_work({"a": same["a"], "b": same["b"] | {figure: value}}, ["a", "b"])


def test_a_side_that_knows_no_last_loss_is_compared_by_the_first():
    require_same_work({"a": {"firstLoss": 8.0, "lastLoss": 7.0}, "b": {"firstLoss": 8.0}}, ["a", "b"])


def test_only_settings_as_large_as_the_goals_count():
    assert Settings().counts
    assert Settings(pairs=7, threads=2).counts
    for smaller in ({"pairs": 4}, {"steps": 99}, {"warmup": 9}, {"parameters": 29_999_999}):
        assert not Settings(**smaller).counts


def test_each_pair_is_a_line_of_json_and_the_result_holds_them_all(tmp_path, capsys):
    class Fixed:
        NAME = "fixed"
        GOALS = (Goal(title="t", side="a", against="half", figure="seconds", goal=1.0),)

        @staticmethod
        def prepare(settings, folder):
            return Bench(
                sides={"a": lambda: {"seconds": 3.0}},
                derived={"half": lambda figures: {"seconds": figures["a"]["seconds"] / 2}},
                facts={"parameters": settings.parameters},
            )

    result = measure(Fixed(), Settings(pairs=2), tmp_path / "work", machine={"cores": "2"})
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["pair"] for line in lines] == [0, 1]
    assert lines[0]["ratios"] == {"a/half": 2.0}
    assert result["pairs"] == [{"a": {"seconds": 3.0}, "half": {"seconds": 1.5}}] * 2
    assert result["facts"] == {"parameters": 30_000_000}
