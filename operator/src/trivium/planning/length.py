"""How long a run is: epochs or tokens become optimizer steps."""

from math import ceil

_ROUNDING = 1e-9  # 3.0 epochs of 0.1 are 0.30000000000000004: without it a run gets one step too many


def steps_of_epochs(*, epochs: float, train_sequences: int, global_batch: int) -> int:
    """Steps that pass the data `epochs` times; at least one. Units of the global batch: sequences."""
    return max(1, ceil(epochs * train_sequences / global_batch - _ROUNDING))


def steps_of_tokens(*, tokens: int, train_tokens: int, train_sequences: int, global_batch: int) -> int:
    """Steps that train at least `tokens` tokens, at the data's mean of trained tokens per sequence; at least one."""
    # Whole numbers: 15T tokens are more than a float counts exactly.
    return max(1, -(-tokens * train_sequences // (train_tokens * global_batch)))
