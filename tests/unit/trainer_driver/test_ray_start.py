"""Ray's own start on a busy machine: tried twice where it is ours to start, once where it is a cluster's."""

import inspect

import pytest
from ray._private import node

from trivium_trainer.driver.cluster import TOO_SLOW, start_ray
from trivium_trainer.failure import TrainingError

SLOW = Exception(f"The current node {TOO_SLOW}. This could happen because ...\nmore")


def failing(*errors):
    """A start that fails with these errors, one after the other, then succeeds; and how often it was called."""
    waiting, calls = list(errors), []

    def start():
        calls.append(1)
        if waiting:
            raise waiting.pop(0)

    return start, calls


def test_a_start_that_ran_out_of_time_is_made_once_more():
    start, calls = failing(SLOW)
    start_ray(start, address="local")
    assert len(calls) == 2


@pytest.mark.parametrize(
    ("address", "errors", "want_calls"),
    [("local", [SLOW, SLOW], 2), ("local", [ValueError("no such setting")], 1), ("head:6379", [SLOW], 1)],
)
def test_any_other_end_of_a_start_is_a_failure_of_the_infrastructure(address, errors, want_calls):
    start, calls = failing(*errors)
    with pytest.raises(TrainingError, match=f"no Ray cluster at {address}") as refused:
        start_ray(start, address=address)
    assert (refused.value.failure_class, len(calls)) == ("Infrastructure", want_calls)


def test_ray_still_says_it_in_these_words():
    assert TOO_SLOW in inspect.getsource(node)
