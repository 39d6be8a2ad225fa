"""Sequences -> tensors of one micro-batch. Pure: what comes out depends on what goes in and nothing else.

Packed rows carry no attention mask on purpose: transformers 5.23 (masking_utils.find_packed_sequence_indices) builds
the block-diagonal causal mask from position_ids that restart, and only when attention_mask is None and there is no
key-value cache. So the model must be called with `use_cache=False`; a test guards it for sdpa and eager.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from trivium_trainer.data.examples import IGNORED, Sequence64

Batch = dict[str, torch.Tensor]


def collate(
    sequences: Sequence[Sequence64], *, pad_token_id: int, row_length: int | None = None, flatten: bool = False
) -> Batch:
    """One micro-batch of B sequences.

    row_length given (packing): input_ids, labels, position_ids, each [B, row_length]; flatten makes them [1, B·length]
    for variable-length flash attention, which takes one flat row.
    row_length None: input_ids, labels, attention_mask, each [B, longest]; pairs: input_ids, completion_mask,
    attention_mask, each [2B, longest], the B chosen first, then the B rejected.
    """
    if "chosen_input_ids" in sequences[0]:
        return _collate_pairs(sequences, pad_token_id=pad_token_id)
    if row_length is None:
        return _collate_padded(sequences, pad_token_id=pad_token_id)
    batch = _collate_rows(sequences, pad_token_id=pad_token_id, row_length=row_length)
    return {name: tensor.reshape(1, -1) for name, tensor in batch.items()} if flatten else batch


def _collate_rows(sequences: Sequence[Sequence64], *, pad_token_id: int, row_length: int) -> Batch:
    position_ids = _stack([sequence["position_ids"] for sequence in sequences], fill=0, length=row_length)
    for row, sequence in enumerate(sequences):
        # Padding is a segment of its own: position 0 where it starts, so no example attends to it or is seen by it.
        padding = row_length - len(sequence["position_ids"])
        position_ids[row, row_length - padding :] = torch.arange(padding)
    return {
        "input_ids": _stack([sequence["input_ids"] for sequence in sequences], fill=pad_token_id, length=row_length),
        "labels": _stack([sequence["labels"] for sequence in sequences], fill=IGNORED, length=row_length),
        "position_ids": position_ids,
    }


def _collate_padded(sequences: Sequence[Sequence64], *, pad_token_id: int) -> Batch:
    ids = [sequence["input_ids"] for sequence in sequences]
    return {
        "input_ids": _stack(ids, fill=pad_token_id),
        "labels": _stack([sequence["labels"] for sequence in sequences], fill=IGNORED),
        "attention_mask": _stack([np.ones_like(one) for one in ids], fill=0),
    }


def _collate_pairs(sequences: Sequence[Sequence64], *, pad_token_id: int) -> Batch:
    sides = ("chosen", "rejected")
    ids = [sequence[f"{side}_input_ids"] for side in sides for sequence in sequences]
    masks = [sequence[f"{side}_completion_mask"] for side in sides for sequence in sequences]
    return {
        "input_ids": _stack(ids, fill=pad_token_id),
        "completion_mask": _stack(masks, fill=0),
        "attention_mask": _stack([np.ones_like(one) for one in ids], fill=0),
    }


def _stack(arrays: Sequence[NDArray[np.int64]], *, fill: int, length: int | None = None) -> torch.Tensor:
    """Arrays [T_i] padded on the right -> [B, length or max T_i]."""
    result = np.full((len(arrays), length or max(len(one) for one in arrays)), fill, dtype=np.int64)
    for row, one in enumerate(arrays):
        result[row, : len(one)] = one
    return torch.from_numpy(result)
