"""Axes and series as arithmetic: ticks that rise and differ, points that survive thinning."""

import itertools
import math
import random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from trivium_trainer.report.axis import linear_axis, log_axis, time_axis
from trivium_trainer.report.memory import parse_quantity
from trivium_trainer.report.series import downsample, finite, smooth

values = st.lists(st.floats(-1e12, 1e12, allow_subnormal=False), min_size=1, max_size=20)
magnitudes = st.lists(st.floats(1e-9, 1e12), min_size=1, max_size=20)


def rises(numbers):
    return all(before < after for before, after in itertools.pairwise(numbers))


def assert_sound(axis, data):
    assert rises([tick.value for tick in axis.ticks])
    assert len({tick.label for tick in axis.ticks}) == len(axis.ticks)
    assert 2 <= len(axis.ticks) <= 16
    for value in data:
        assert -1e-6 <= axis.position(value) <= 1 + 1e-6


@given(values, st.booleans())
def test_a_linear_axis_covers_its_data_with_ticks_that_rise_and_differ(data, zero):
    spread = max(data) - min(data)
    # Ticks closer than six digits of the value cannot be told apart in writing: no curve here comes near that.
    assume(spread == 0 or spread > 1e-4 * max(abs(value) for value in data))
    assume(spread == 0 or spread > 1e-9)
    assume(spread != 0 or data[0] == 0 or abs(data[0]) > 1e-9)
    assert_sound(linear_axis(data, zero=zero), data)


@given(magnitudes)
def test_a_log_axis_covers_positive_data_with_ticks_that_rise_and_differ(data):
    assert_sound(log_axis(data), data)


@given(st.floats(0, 1e8))
def test_a_time_axis_ticks_at_whole_units_from_zero(seconds):
    axis = time_axis(seconds)
    assert rises([tick.value for tick in axis.ticks])
    assert axis.ticks[0].label == "0"
    assert axis.ticks[-1].value <= max(seconds, 1)


@pytest.mark.parametrize(
    ("low", "high", "want_labels"),
    [
        (0, 2e-3, ["0", "0.0005", "0.0010", "0.0015", "0.0020"]),
        (0, 3e-5, ["0", "1e\u22125", "2e\u22125", "3e\u22125"]),
        (0, 12_400, ["0", "5\u202fk", "10\u202fk", "15\u202fk"]),
        (3.8, 8.4, ["3", "4", "5", "6", "7", "8", "9"]),
        (-1.2, 2.1, ["\u22122", "\u22121", "0", "1", "2", "3"]),
    ],
)
def test_ticks_are_the_numbers_a_person_would_choose(low, high, want_labels):
    assert [tick.label for tick in linear_axis([low, high]).ticks] == want_labels


@given(st.integers(), st.integers(601, 3000))
@settings(max_examples=20, deadline=None)
def test_thinning_keeps_the_ends_the_order_and_the_limit(seed, length):
    values = random.Random(seed)
    points = [(float(x), values.uniform(-1e6, 1e6)) for x in range(length)]
    kept = downsample(points, 600)
    assert len(kept) == 600
    assert kept[0] == points[0]
    assert kept[-1] == points[-1]
    assert rises([x for x, _ in kept])
    assert set(kept) <= set(points)


def test_thinning_keeps_a_single_spike():
    points = [(float(x), 9.0 if x == 1234 else 1.0) for x in range(5000)]
    assert (1234.0, 9.0) in downsample(points, 100)


def test_a_short_series_is_left_as_it_is():
    points = ((1.0, 2.0), (2.0, 3.0))
    assert downsample(points) == points


def test_the_running_mean_of_a_constant_is_that_constant():
    assert all(math.isclose(y, 4.2) for _, y in smooth([(float(x), 4.2) for x in range(500)]))


def test_the_running_mean_begins_at_the_first_value_and_stays_between_the_extremes():
    points = [(float(x), float(x % 7)) for x in range(700)]
    means = smooth(points)
    assert means[0] == points[0]
    assert all(0 <= y <= 6 for _, y in means)
    assert abs(means[-1][1] - 3) < 0.5


def test_points_that_are_not_finite_are_left_out():
    assert finite([(1, 2.0), (2, math.nan), (3, math.inf), (4, 5.0)]) == ((1, 2.0), (4, 5.0))


@pytest.mark.parametrize(
    ("raw", "want"),
    [("2Gi", 2**31), ("1.5Mi", 1.5 * 2**20), ("3G", 3e9), (17, 17.0), ("17", 17.0), ("-1Gi", None), ("x", None), (True, None),
     (None, None), ([], None), (float("nan"), None), ("9" * 30, None)],
)  # fmt: skip
def test_memory_is_read_as_bytes_or_as_a_kubernetes_quantity(raw, want):
    assert parse_quantity(raw) == want
