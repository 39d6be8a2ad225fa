"""Holding out by prompt: stable, together, and in the right proportion."""

from hypothesis import given, settings
from hypothesis import strategies as st

from trivium_trainer.prepare.held_out import is_held_out
from trivium_trainer.prepare.rows import Completion, Conversation, Preference


@settings(max_examples=50, deadline=None)
@given(key=st.text(), low=st.floats(0, 1), high=st.floats(0, 1))
def test_a_larger_fraction_only_adds_rows(key, low, high):
    low, high = sorted((low, high))
    assert is_held_out(key, fraction=high) or not is_held_out(key, fraction=low)


@settings(max_examples=50, deadline=None)
@given(key=st.text())
def test_nothing_at_zero_and_everything_at_one(key):
    assert not is_held_out(key, fraction=0)
    assert is_held_out(key, fraction=1)


def test_the_share_is_the_fraction():
    count = sum(is_held_out(f"question {number}", fraction=0.1) for number in range(10_000))
    assert abs(count - 1000) < 120  # four standard deviations of a binomial with 10,000 and 0.1


def test_the_side_never_changes_between_versions():
    """A pinned sample: a change would leak held-out questions into training when a job is repeated."""
    held = [number for number in range(40) if is_held_out(f"question {number}", fraction=0.2)]
    assert held == [2, 18, 19, 30, 31, 32, 33, 37]


def test_rows_of_one_prompt_stay_together_in_every_format():
    user = {"role": "user", "content": "What is it?"}
    keys = {
        Conversation(
            messages=[{"role": "system", "content": "x"}, user, {"role": "assistant", "content": "a"}],
            completion_start=2,
        ).key,
        Conversation(messages=[user, {"role": "assistant", "content": "b"}], completion_start=1).key,
        Completion(prompt="What is it?", completion="c").key,
        Preference(prompt=[user], chosen=[], rejected=[]).key,
        Preference(prompt="What is it?", chosen="a", rejected="b").key,
    }
    assert keys == {"What is it?"}
    assert is_held_out(" what is it? ", fraction=0.3) == is_held_out("What is it?", fraction=0.3)
