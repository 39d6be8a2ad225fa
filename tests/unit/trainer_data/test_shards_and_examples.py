"""What is written is what is read: shards, indices and sequences, against plain lists."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivium_trainer.data.examples import IGNORED, Examples
from trivium_trainer.data.shard_reader import LENGTHS, TOKENS, load_array
from trivium_trainer.prepare.example import Tokenized
from trivium_trainer.prepare.index import build_rows, read_table, write_index
from trivium_trainer.prepare.shards import GrowingArray, PartResult, ShardWriter, read_marker


def masked(ids, trained):
    return Tokenized(segments=(np.array(ids),), trained=np.array(trained, dtype=bool))


def document(ids):
    return Tokenized(segments=(np.array(ids),), trained=None)


def write(folder, examples, *, segments=1, has_mask=True, held_out=()):
    writer = ShardWriter(folder, vocabulary=1000, segments=segments, masked=has_mask)
    for number, example in enumerate(examples):
        writer.add(example, held_out=number in held_out)
    return writer.finish(PartResult())


def open_split(tmp_path, folders, *, recipe, packing, max_length, held_out=False, layout="rows"):
    table = read_table(list(enumerate(folders)), held_out=held_out)
    write_index(tmp_path / "index", [build_rows(table, recipe=recipe, packing=packing, max_length=max_length)])
    return Examples(tmp_path / "index", shards=folders, layout=layout)


def test_an_array_grows_and_is_an_ordinary_npy_file(tmp_path):
    array = GrowingArray(tmp_path / "a.npy", np.uint16, columns=3)
    array.append(np.arange(6).reshape(2, 3))
    array.append(np.arange(3).reshape(1, 3))
    array.close()
    assert np.load(tmp_path / "a.npy", allow_pickle=False).tolist() == [[0, 1, 2], [3, 4, 5], [0, 1, 2]]


def test_a_shard_without_its_marker_does_not_count(tmp_path):
    folder = tmp_path / "000-00000"
    writer = ShardWriter(folder, vocabulary=1000, segments=1, masked=False)
    writer.add(document([1, 2]), held_out=False)
    assert read_marker(folder) is None
    result = writer.finish(PartResult(rows=1))
    assert read_marker(folder) == result
    assert set(result.digests) == {"tokens.npy", "lengths.npy", "trained_counts.npy", "held_out.npy"}


@pytest.mark.parametrize(("vocabulary", "dtype"), [(2**16, np.uint16), (2**16 + 1, np.uint32)])
def test_tokens_take_the_bytes_that_the_vocabulary_needs(tmp_path, vocabulary, dtype):
    writer = ShardWriter(tmp_path / "s", vocabulary=vocabulary, segments=1, masked=False)
    writer.add(document([vocabulary - 1]), held_out=False)
    writer.finish(PartResult())
    tokens = load_array(tmp_path / "s" / TOKENS)
    assert tokens.dtype == dtype
    assert tokens.tolist() == [vocabulary - 1]


def test_an_empty_shard_can_be_read(tmp_path):
    write(tmp_path / "s", [])
    assert load_array(tmp_path / "s" / LENGTHS).shape == (0, 1)
    assert len(read_table([(0, tmp_path / "s")], held_out=False)) == 0


def test_a_packed_row_keeps_its_examples_apart(tmp_path):
    write(tmp_path / "a", [masked([10, 11, 12], [1, 0, 1]), masked([20, 21], [0, 1])])
    write(tmp_path / "b", [masked([30, 31, 32, 33], [1, 1, 1, 1])])
    split = open_split(tmp_path, [tmp_path / "a", tmp_path / "b"], recipe="sft", packing=True, max_length=8)
    # Best fit, longest first: 4 + 3 = 7 in the first row, 2 in the second.
    assert len(split) == 2
    row = split.sequence(0)
    assert row["input_ids"].tolist() == [10, 11, 12, 30, 31, 32, 33] or row["input_ids"].tolist()[:4] == [
        30,
        31,
        32,
        33,
    ]
    starts = np.flatnonzero(row["position_ids"] == 0)
    assert len(starts) == 2
    assert (row["labels"][starts] == IGNORED).all()
    assert split.trained_tokens.tolist() == [1 + 3, 1]
    for number in range(2):
        assert (split.sequence(number)["labels"] != IGNORED).sum() == split.trained_tokens[number]


@settings(max_examples=50, deadline=None)
@given(
    documents=st.lists(st.lists(st.integers(0, 999), min_size=2, max_size=40), min_size=1, max_size=12),
    cut=st.integers(0, 12),
    max_length=st.integers(2, 32),
)
def test_pretraining_rows_are_the_stream_cut_in_rows(tmp_path_factory, documents, cut, max_length):
    tmp_path = tmp_path_factory.mktemp("stream")
    write(tmp_path / "a", [document(ids) for ids in documents[:cut]], has_mask=False)
    write(tmp_path / "b", [document(ids) for ids in documents[cut:]], has_mask=False)
    split = open_split(
        tmp_path, [tmp_path / "a", tmp_path / "b"], recipe="pretrain", packing=True, max_length=max_length
    )
    stream = [token for ids in documents for token in ids]
    starts = set(np.cumsum([0, *map(len, documents)]).tolist())
    rows = [stream[at : at + max_length] for at in range(0, len(stream), max_length)]
    if len(split) < len(rows):
        # A last row of one token trains nothing and is left out.
        assert len(rows.pop()) == 1 or (len(stream) - 1) in starts
    assert len(split) == len(rows)
    for number, want in enumerate(rows):
        row = split.sequence(number)
        assert row["input_ids"].tolist() == want
        for index, label in enumerate(row["labels"].tolist()):
            first = index == 0 or number * max_length + index in starts
            assert label == (IGNORED if first else want[index])
            assert (row["position_ids"][index] == 0) == first
        assert split.trained_tokens[number] == (row["labels"] != IGNORED).sum()


def test_pairs_share_their_prompt_and_mask_it(tmp_path):
    pair = Tokenized(segments=(np.array([1, 2]), np.array([3, 4, 5]), np.array([6])), trained=None)
    write(tmp_path / "a", [pair, pair], segments=3, has_mask=False)
    split = open_split(tmp_path, [tmp_path / "a"], recipe="dpo", packing=False, max_length=9, layout="pairs")
    assert len(split) == 2
    assert {name: array.tolist() for name, array in split.sequence(1).items()} == {
        "chosen_input_ids": [1, 2, 3, 4, 5],
        "chosen_completion_mask": [0, 0, 1, 1, 1],
        "rejected_input_ids": [1, 2, 6],
        "rejected_completion_mask": [0, 0, 1],
    }
    assert split.trained_tokens.tolist() == [4, 4]


def test_held_out_examples_are_on_the_other_side(tmp_path):
    examples = [masked([number, number], [1, 1]) for number in range(5)]
    write(tmp_path / "a", examples, held_out={1, 3})
    for held_out, want in ((False, [0, 2, 4]), (True, [1, 3])):
        split = open_split(tmp_path, [tmp_path / "a"], recipe="sft", packing=False, max_length=4, held_out=held_out)
        assert [int(split.sequence(number)["input_ids"][0]) for number in range(len(split))] == want


def test_a_sequence_that_does_not_exist_is_an_error(tmp_path):
    write(tmp_path / "a", [masked([1, 2], [1, 1])])
    split = open_split(tmp_path, [tmp_path / "a"], recipe="sft", packing=False, max_length=4)
    for number in (-1, 1):
        with pytest.raises(IndexError, match=f"sequence {number} of 1"):
            split.sequence(number)


def test_a_writer_that_is_left_by_an_error_leaves_no_open_file_and_no_marker(tmp_path):
    with pytest.raises(RuntimeError), ShardWriter(tmp_path / "s", vocabulary=9, segments=1, masked=False) as writer:
        raise RuntimeError
    assert all(array._file.closed for array in writer._arrays.values())
    assert read_marker(tmp_path / "s") is None
