"""The planner's present memory estimate against what was measured, and the page that publishes the errors.

The measurements lie beside this file; `python -m benchmarks.memory` makes them anew, and a slow test repeats some.
"""

import pytest
from benchmarks.memory import page, store
from benchmarks.memory.errors import GOAL, errors_of

MEASUREMENTS = store.load()
ERRORS = [error for one in MEASUREMENTS for error in errors_of(one)]


def _id(error):
    case = error.measurement.case
    return f"{error.measurement.kind}-{case.model}-{case.name}-{case.world_size}-{error.window}".replace(" ", "_")


@pytest.mark.parametrize("error", ERRORS, ids=_id)
def test_every_category_above_a_twentieth_of_the_total_is_within_the_goal(error):
    assert error.categories or error.window == "resident"
    for category, value in error.categories.items():
        assert GOAL[0] <= value <= GOAL[1], f"{category} {value:+.1%} at {error.moment}"


@pytest.mark.parametrize("error", ERRORS, ids=_id)
def test_a_total_is_within_the_goal_of_its_parts(error):
    assert GOAL[0] <= error.total <= GOAL[1], f"{error.total:+.1%} at {error.moment}"


def test_the_published_page_says_what_the_planner_says_now():
    want = page.render(MEASUREMENTS, machine=store.machine())
    assert page.PAGE.read_text() == want, "run python -m benchmarks.memory --write and review the difference"


def test_the_measurements_reach_every_stage_size_method_and_precision():
    engines = [one.case for one in MEASUREMENTS if one.kind == "engine"]
    assert len(engines) >= 10
    assert {(case.zero_stage, case.world_size) for case in engines} >= {(s, w) for s in (1, 2, 3) for w in (1, 2, 4)}
    for field in ("checkpointing", "packing", "adapter_rank", "gpu"):
        assert {bool(getattr(case, field)) for case in engines} == {True, False}, field
    for field in ("dtype", "recipe", "attention"):
        assert len({getattr(case, field) for case in engines}) == 2, field
    assert len({one.case.max_length for one in MEASUREMENTS}) > 2
    assert len({case.accumulation for case in engines}) > 1
    shapes = [one.case for one in MEASUREMENTS if one.kind == "shapes"]
    assert {"llama-3.2-1b", "llama-3-8b"} <= {case.model for case in shapes}
    assert any(one.kind == "resident" for one in MEASUREMENTS)


def test_each_moment_of_a_step_was_the_worst_of_some_measurement():
    assert {error.moment for error in ERRORS} >= {"loss", "backward", "step"}
