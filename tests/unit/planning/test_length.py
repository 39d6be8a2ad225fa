"""Epochs and tokens become steps."""

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivium.planning.length import steps_of_epochs, steps_of_tokens


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
