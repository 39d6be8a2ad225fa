"""How long silence is borne: learned from the pulses, bounded by the field, by activity."""

import pytest

from trivium_trainer.driver.patience import MIN_OBSERVED, REMEMBERED, Patience

STEADY = [2.0] * MIN_OBSERVED


@pytest.mark.parametrize(
    ("field_seconds", "doing", "observed", "want_seconds"),
    [
        (600, "step", [], 600),
        (600, "step", STEADY[:-1], 600),  # too few to know
        (600, "step", STEADY, 60),  # 5 x 2 s, and never below a minute
        (600, "step", [*STEADY, 30.0], 150),
        (600, "step", [*STEADY, 300.0], 600),  # never more than the field
        (600, "step", [400.0, *[2.0] * REMEMBERED], 60),  # a first step that compiled is forgotten
        (30, "step", STEADY, 30),
        (600, "save", [], 6000),
        (600, "save", [300.0] * MIN_OBSERVED, 1500),
        (600, "save", [2.0] * MIN_OBSERVED, 600),  # a shared disk may stall for minutes
        (600, "evaluate", [0.5] * MIN_OBSERVED, 600),
        (600, "save", [5000.0] * MIN_OBSERVED, 6000),
        (6, "compile", [], 60),
        (600, "download", [0.1] * MIN_OBSERVED, 6000),  # the next file may be the weights
    ],
)
def test_a_rank_is_given_up_after_five_times_what_it_has_shown_within_the_field(
    field_seconds, doing, observed, want_seconds
):
    patience = Patience(field_seconds)
    for seconds in observed:
        patience.observe(doing, seconds)
    assert patience.timeout_seconds(doing) == want_seconds


def test_what_one_activity_has_shown_says_nothing_of_another():
    patience = Patience(600)
    for seconds in STEADY:
        patience.observe("step", seconds)
    assert patience.timeout_seconds("evaluate") == 6000
