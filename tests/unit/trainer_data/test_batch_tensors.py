"""Collating: shapes, padding, and what each kind of batch carries."""

import numpy as np

from trivium_trainer.data.batches import collate
from trivium_trainer.data.examples import IGNORED


def row(*pieces):
    ids = np.concatenate([np.array(piece) for piece in pieces])
    positions = np.concatenate([np.arange(len(piece)) for piece in pieces])
    return {"input_ids": ids, "labels": np.where(positions == 0, IGNORED, ids), "position_ids": positions}


def listed(batch):
    return {name: tensor.tolist() for name, tensor in batch.items()}


def test_packed_rows_are_padded_to_the_row_length_by_a_segment_of_its_own():
    batch = collate([row([5, 6], [7]), row([8, 9, 10, 11, 12])], pad_token_id=0, row_length=5)
    assert listed(batch) == {
        "input_ids": [[5, 6, 7, 0, 0], [8, 9, 10, 11, 12]],
        "labels": [[IGNORED, 6, IGNORED, IGNORED, IGNORED], [IGNORED, 9, 10, 11, 12]],
        "position_ids": [[0, 1, 0, 0, 1], [0, 1, 2, 3, 4]],
    }


def test_packed_rows_can_be_flattened_into_one():
    batch = collate([row([5, 6]), row([7])], pad_token_id=0, row_length=3, flatten=True)
    assert batch["position_ids"].tolist() == [[0, 1, 0, 0, 0, 1]]
    assert batch["input_ids"].shape == (1, 6)


def test_single_examples_are_padded_to_the_longest():
    batch = collate([row([5, 6, 7]), row([8])], pad_token_id=4)
    assert listed(batch) == {
        "input_ids": [[5, 6, 7], [8, 4, 4]],
        "labels": [[IGNORED, 6, 7], [IGNORED, IGNORED, IGNORED]],
        "attention_mask": [[1, 1, 1], [1, 0, 0]],
    }


def test_pairs_stand_chosen_first_then_rejected():
    def pair(base):
        return {
            "chosen_input_ids": np.array([base, base + 1, base + 2]),
            "chosen_completion_mask": np.array([0, 1, 1]),
            "rejected_input_ids": np.array([base, base + 3]),
            "rejected_completion_mask": np.array([0, 1]),
        }

    assert listed(collate([pair(10), pair(20)], pad_token_id=0)) == {
        "input_ids": [[10, 11, 12], [20, 21, 22], [10, 13, 0], [20, 23, 0]],
        "completion_mask": [[0, 1, 1], [0, 1, 1], [0, 1, 0], [0, 1, 0]],
        "attention_mask": [[1, 1, 1], [1, 1, 1], [1, 1, 0], [1, 1, 0]],
    }
