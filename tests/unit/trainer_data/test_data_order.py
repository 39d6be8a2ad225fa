"""The order of training: a bijection for any size, the same for any world size, exact mixtures."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivium_trainer.config import SkipWindow
from trivium_trainer.data.mixture import epoch_draws
from trivium_trainer.data.order import DataOrder, permute

# Every example is quick; a deadline in wall-clock time would only measure what else the machine does.
QUICK = settings(max_examples=50, deadline=None)
SIZES = st.integers(1, 3000)
SEEDS = st.integers(0, 2**63)


def whole(size, *, seed, epoch=0):
    """The images of all positions."""
    return permute(np.arange(size), size=size, seed=seed, stream=0, passes=np.full(size, epoch))


@QUICK
@given(size=SIZES, seed=SEEDS, epoch=st.integers(0, 1000))
def test_every_position_has_exactly_one_image(size, seed, epoch):
    image = whole(size, seed=seed, epoch=epoch)
    assert sorted(image.tolist()) == list(range(size))


@QUICK
@given(size=SIZES, seed=SEEDS, data=st.data())
def test_a_position_has_the_same_image_alone_and_among_others(size, seed, data):
    position = data.draw(st.integers(0, size - 1))
    alone = permute(np.array([position]), size=size, seed=seed, stream=0, passes=np.array([3]))
    assert alone[0] == whole(size, seed=seed, epoch=3)[position]


def test_a_large_range_is_permuted_without_storing_it():
    size = 10**15
    image = permute(np.arange(1000), size=size, seed=1, stream=2, passes=np.zeros(1000, dtype=np.int64))
    assert len(set(image.tolist())) == 1000
    assert image.min() >= 0
    assert image.max() < size
    assert abs(image.mean() / size - 0.5) < 0.05  # 1,000 uniform draws: standard error 0.009


def test_places_are_uniform_over_seeds():
    """Each of 12 positions meets each image about equally often: chi-square over 4,000 seeds."""
    size, seeds = 12, 2000
    counts = np.zeros((size, size))
    for seed in range(seeds):
        counts[np.arange(size), whole(size, seed=seed)] += 1
    expected = seeds / size
    chi_square = ((counts - expected) ** 2 / expected).sum()
    assert chi_square < 180  # 121 degrees of freedom: mean 121, standard deviation 15.6


@QUICK
@given(size=st.integers(1, 120), batch=st.integers(1, 64), seed=SEEDS)
def test_each_epoch_holds_every_sample_once_whatever_the_batch(size, batch, seed):
    order = DataOrder(sizes=[size], draws=[size], global_batch_size=batch, seed=seed)
    epochs = 2
    steps = -(-epochs * size // batch)
    stream = np.concatenate([order.indices(step) for step in range(steps)])
    for epoch in range(epochs):
        assert sorted(stream[epoch * size : (epoch + 1) * size].tolist()) == list(range(size))


@QUICK
@given(size=st.integers(1, 500), seed=SEEDS, step=st.integers(0, 10**6), world=st.sampled_from([1, 2, 3, 4, 6, 12]))
def test_ranks_together_train_the_step_whatever_their_number(size, seed, step, world):
    order = DataOrder(sizes=[size], draws=[size], global_batch_size=24, seed=seed)
    slices = [order.rank_slice(step, rank=rank, world_size=world) for rank in range(world)]
    assert np.concatenate(slices).tolist() == order.indices(step).tolist()


def test_epochs_and_seeds_differ():
    orders = [DataOrder(sizes=[100], draws=[100], global_batch_size=100, seed=seed) for seed in (1, 2)]
    streams = {tuple(order.indices(step).tolist()) for order in orders for step in range(3)}
    assert len(streams) == 6


def test_a_remainder_is_refused_with_the_nearest_values():
    order = DataOrder(sizes=[9], draws=[9], global_batch_size=32, seed=0)
    with pytest.raises(ValueError, match=r"32 is not a multiple of 5 ranks\. Use 30 or 35"):
        order.rank_slice(0, rank=0, world_size=5)


@QUICK
@given(
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=4),
    data=st.data(),
)
def test_a_mixture_takes_its_draws_from_each_source_and_repeats_evenly(sizes, data):
    draws = [sizes[0], *(data.draw(st.integers(1, 150)) for _ in sizes[1:])]
    order = DataOrder(sizes=sizes, draws=draws, global_batch_size=sum(draws), seed=7)
    first = np.cumsum([0, *sizes])
    seen = Counter()
    for epoch in range(3):
        batch = order.indices(epoch)
        per_source = Counter((np.searchsorted(first, batch, side="right") - 1).tolist())
        assert [per_source[source] for source in range(len(sizes))] == draws
        seen.update(batch.tolist())
    for source, size in enumerate(sizes):
        counts = [seen[first[source] + number] for number in range(size)]
        # No sequence of a source comes a second time more often than any other: its own stream is permutations.
        assert max(counts) - min(counts) <= 1


def test_equal_weights_mean_each_source_once():
    assert epoch_draws([1, 1, 1], sizes=[3, 5, 7], amounts=[30, 5, 70]) == [3, 5, 7]


def test_unequal_weights_are_shares_of_the_amount_and_the_first_source_passes_once():
    # 100 sequences of 10 tokens; 50 sequences of 40 tokens. Weights 1:2 -> 1,000 tokens and 2,000 tokens = 50.
    assert epoch_draws([1, 2], sizes=[100, 50], amounts=[1000, 2000]) == [100, 50]
    # Weights 3:1 -> 333 tokens of the second: 8 sequences.
    assert epoch_draws([3, 1], sizes=[100, 50], amounts=[1000, 2000]) == [100, 8]


@QUICK
@given(
    weights=st.lists(st.floats(0.01, 100), min_size=2, max_size=4),
    sizes=st.lists(st.integers(100, 10_000), min_size=4, max_size=4),
    mean=st.lists(st.floats(1, 500), min_size=4, max_size=4),
)
def test_shares_follow_the_weights_within_one_sequence(weights, sizes, mean):
    sizes, mean = sizes[: len(weights)], mean[: len(weights)]
    amounts = [size * one for size, one in zip(sizes, mean, strict=True)]
    draws = epoch_draws(weights, sizes=sizes, amounts=amounts)
    if len(set(weights)) == 1:
        assert draws == sizes
        return
    assert draws[0] == sizes[0]
    for weight, drawn, one in zip(weights[1:], draws[1:], mean[1:], strict=True):
        want_amount = amounts[0] * weight / weights[0]
        assert abs(drawn * one - want_amount) <= one * (1 + 1e-9)


# Not st.builds: it takes the aliases for more fields.
WINDOWS = st.lists(
    st.tuples(st.integers(1, 60), st.integers(1, 12)).map(
        lambda window: SkipWindow(data_step=window[0], steps=window[1], rollback_to=0)
    ),
    max_size=4,
)


def ordered(skips, *, size=50, batch=4):
    return DataOrder(sizes=[size], draws=[size], global_batch_size=batch, seed=5, skips=skips)


@QUICK
@given(skips=WINDOWS, size=st.integers(1, 80), batch=st.integers(1, 6))
def test_with_windows_the_stream_is_the_plain_one_without_exactly_their_steps(skips, size, batch):
    left_out = {step for window in skips for step in range(window.data_step, window.data_step + window.steps)}
    plain = ordered([], size=size, batch=batch).first_steps(130).reshape(130, batch)
    want = plain[[step - 1 for step in range(1, 131) if step not in left_out][:60]].tolist()
    order = ordered(skips, size=size, batch=batch)
    assert order.first_steps(60).reshape(60, batch).tolist() == want
    for step in (0, 31, 59):
        assert order.indices(step).tolist() == want[step]


@QUICK
@given(skips=WINDOWS, step=st.integers(1, 200))
def test_a_step_names_the_data_it_trains_and_never_data_that_is_left_out(skips, step):
    order = ordered(skips)
    data_step = order.data_step(step)
    assert not any(window.data_step <= data_step < window.data_step + window.steps for window in skips)
    assert order.data_step(step + 1) > data_step
    assert order.indices(step - 1).tolist() == ordered([]).indices(data_step - 1).tolist()


@QUICK
@given(skips=WINDOWS, more=st.integers(1, 30), step=st.integers(0, 80))
def test_a_window_after_a_checkpoint_moves_nothing_before_it(skips, more, step):
    """So a run that goes back to `step` and leaves out later data has trained what an uninterrupted one would have."""
    order = ordered(skips)
    window = SkipWindow(data_step=order.data_step(step) + 1, steps=more, rollback_to=step)
    rolled_back = ordered([*skips, window])
    for before in range(step):
        assert rolled_back.indices(before).tolist() == order.indices(before).tolist()
    assert rolled_back.data_step(step + 1) >= window.data_step + more


def test_epochs_count_what_is_left_out():
    order = ordered([SkipWindow(data_step=3, steps=10, rollback_to=2)], size=8)
    assert [order.epoch(step) for step in (0, 2, 3)] == [0, 1.0, 6.5]
