"""Batches as one would make them by hand, from rows as lists."""

from typing import Any

import torch

IGNORED = -100


def collate(rows: list[dict[str, list[int]]], pad_token_id: int) -> dict[str, Any]:
    """Rows -> tensors [B, longest]. Packed rows bring position_ids and no mask, the others a mask."""
    longest = max(len(row["input_ids"]) for row in rows)
    batch = {
        "input_ids": torch.tensor([_padded(row["input_ids"], longest, pad_token_id) for row in rows]),
        "labels": torch.tensor([_padded(row["labels"], longest, IGNORED) for row in rows]),
    }
    if "position_ids" in rows[0]:
        assert all(len(row["position_ids"]) == longest for row in rows), "packed documents fill their rows"
        return batch | {"position_ids": torch.tensor([row["position_ids"] for row in rows])}
    return batch | {"attention_mask": torch.tensor([_padded([1] * len(row["input_ids"]), longest, 0) for row in rows])}


def _padded(values: list[int], length: int, fill: int) -> list[int]:
    return values + [fill] * (length - len(values))
