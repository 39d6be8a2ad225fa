"""Epochs and tokens become steps."""

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivium.planning.length import steps_of_epochs, steps_of_tokens, tokens_per_sample, total_steps
from trivium.planning.refusal import PlanError


@given(epochs=st.integers(1, 20), sequences=st.integers(1, 10**6), batch=st.integers(1, 4096))
def test_whole_epochs_take_the_fewest_steps_that_pass_all_sequences(epochs, sequences, batch):
    steps = steps_of_epochs(epochs=epochs, train_sequences=sequences, global_batch=batch)
    assert steps * batch >= epochs * sequences > (steps - 1) * batch


def test_a_fraction_that_floats_cannot_hold_adds_no_step():
    # 0.1 + 0.2 of 10 sequences in batches of 1 are 3 steps; the float sum is 0.30000000000000004.
    assert steps_of_epochs(epochs=0.1 + 0.2, train_sequences=10, global_batch=1) == 3


@given(
    tokens=st.integers(1, 15 * 10**12),
    sequences=st.integers(1, 10**7),
    per_sequence=st.integers(1, 8192),
    batch=st.integers(1, 4096),
)
def test_tokens_take_the_fewest_steps_that_train_them(tokens, sequences, per_sequence, batch):
    train_tokens = sequences * per_sequence
    steps = steps_of_tokens(tokens=tokens, train_tokens=train_tokens, train_sequences=sequences, global_batch=batch)
    assert steps * batch * per_sequence >= tokens > (steps - 1) * batch * per_sequence


@pytest.mark.parametrize("tokens", [1, 100])
def test_a_run_has_at_least_one_step(tokens):
    assert steps_of_tokens(tokens=tokens, train_tokens=10**6, train_sequences=10, global_batch=8) == 1
    assert steps_of_epochs(epochs=0.001, train_sequences=10, global_batch=8) == ceil(0.001 * 10 / 8)


NOTHING_LEFT = (
    "spec.data.train: {sequences} sequences with {tokens} trained tokens are left. "
    "Add data, or raise data.maxLength so that answers are not cut away."
)


@pytest.mark.parametrize(("sequences", "tokens"), [(0, 0), (0, 5), (3, 0)])
def test_data_without_a_trained_token_is_refused(make_job, make_inspection, sequences, tokens):
    seen = make_inspection("8b", train_sequences=sequences, train_tokens=tokens)
    with pytest.raises(PlanError) as refused:
        total_steps(make_job("SFTJob"), inspection=seen)
    assert refused.value.refusal.message == NOTHING_LEFT.format(sequences=sequences, tokens=tokens)


def test_one_trained_token_is_enough(make_job, make_inspection):
    seen = make_inspection("8b", train_sequences=1, train_tokens=1)
    assert total_steps(make_job("SFTJob"), inspection=seen) == 1


def test_a_number_of_steps_needs_no_data(make_job, make_inspection):
    job = make_job("SFTJob", optimization={"steps": 77})
    assert total_steps(job, inspection=None) == 77
    assert total_steps(job, inspection=make_inspection("8b", train_sequences=0)) == 77


@pytest.mark.parametrize(
    ("kind", "sources", "sequences", "want"),
    [
        ("SFTJob", [600, 400], 10, 100.0),
        ("SFTJob", [], 10, 4096.0),  # nothing is said of the tokens: at most a whole row
        ("SFTJob", [600, 400], 0, 4096.0),
        ("PreferenceJob", [], 10, 8192.0),  # a pair is two sequences
    ],
)
def test_a_sample_has_the_tokens_that_were_seen_else_the_most_it_may(
    make_job, make_inspection, kind, sources, sequences, want
):
    seen = [{"name": "a", "files": 1, "rows": 1, "tokens": t, "trainedTokens": t, "digest": "d"} for t in sources]
    inspection = make_inspection("8b", packing=False, sources=seen, train_sequences=sequences)
    assert tokens_per_sample(make_job(kind), inspection=inspection) == want


def test_before_the_data_is_seen_a_sample_is_as_long_as_it_may_be(make_job):
    assert tokens_per_sample(make_job("SFTJob"), inspection=None) == 4096.0
    assert tokens_per_sample(make_job("PreferenceJob"), inspection=None) == 2048.0
