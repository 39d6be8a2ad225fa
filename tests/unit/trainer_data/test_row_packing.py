"""Best fit and the cutting of documents: every token once, no row too long, against a naive second implementation."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from trivium_trainer.prepare.pack import best_fit_decreasing, cut_documents, packing_saves

LENGTHS = st.lists(st.integers(1, 64), min_size=1, max_size=200)


def naive_best_fit(lengths, capacity):
    """The definition, in quadratic time: into the fullest open row that has room."""
    rows = []
    for length in sorted(lengths, reverse=True):
        fitting = [row for row in rows if row + length <= capacity]
        if fitting:
            rows[rows.index(max(fitting))] += length
        else:
            rows.append(length)
    return rows


@settings(max_examples=50, deadline=None)
@given(lengths=LENGTHS)
def test_no_row_is_too_long_and_the_fill_is_that_of_best_fit(lengths):
    lengths = np.array(lengths)
    row_of = best_fit_decreasing(lengths, capacity=64)
    fill = np.bincount(row_of, weights=lengths)
    assert fill.max() <= 64
    assert sorted(fill.tolist()) == sorted(naive_best_fit(lengths.tolist(), 64))


def test_nothing_to_pack_gives_no_row():
    assert best_fit_decreasing(np.array([], dtype=np.int64), capacity=8).tolist() == []


@settings(max_examples=50, deadline=None)
@given(lengths=LENGTHS, capacity=st.integers(1, 100))
def test_cut_documents_keep_every_token_in_order_and_fill_every_row_but_the_last(lengths, capacity):
    documents, offsets, piece_lengths, rows = cut_documents(np.array(lengths), capacity=capacity)
    tokens = [(d, o + i) for d, o, n in zip(documents, offsets, piece_lengths, strict=True) for i in range(n)]
    assert tokens == [(document, i) for document, length in enumerate(lengths) for i in range(length)]
    fill = np.bincount(rows, weights=piece_lengths)
    assert (fill[:-1] == capacity).all()
    assert 0 < fill[-1] <= capacity


def test_a_saving_is_measured_against_batches_padded_to_their_longest():
    # 8 examples padded to 64 = 512 positions; 64 + 7·8 = 120 tokens fit in two rows of 64 = 128 positions.
    assert packing_saves(np.array([64, 8, 8, 8, 8, 8, 8, 8]), capacity=64) == 1 - 128 / 512
    # Examples as long as the rows: nothing to gain.
    assert packing_saves(np.full(16, 64), capacity=64) == 0
