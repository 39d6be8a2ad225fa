"""Floating-point operations of training, from the architecture: the numerator of MFU, and of every time estimate.

Source: PaLM (arXiv 2204.02311, appendix B): 6 per weight and token, and 12 · layers · width · length for attention over
the whole length, causal or not. Ours differs in three places: the output head counts although it is an embedding, a
layer with a sliding window attends over no more than its window, and frozen weights need no gradient of their own.
"""

from dataclasses import dataclass

from trivium.planning.architecture import Architecture
from trivium.planning.parameters import ParameterCount

_FORWARD, _BACKWARD_INPUTS, _BACKWARD_WEIGHTS = 2, 2, 2
"""Per weight and token: one multiplication and one addition each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFlops:
    """FLOPs per token of input."""

    model: float
    """What training has to compute; nothing counts twice."""
    recomputed: float
    """What gradient checkpointing computes a second time; 0 without it."""


def flops_per_token(
    architecture: Architecture,
    parameters: ParameterCount,
    *,
    length: float,
    trainable_adapter: int,
    checkpointing: bool,
    live_reference: bool,
) -> TokenFlops:
    """Units: `length` in tokens of one sequence; `trainable_adapter` in parameters, 0 = full fine-tuning."""
    weights = parameters.active + architecture.vocab_size * architecture.hidden_size
    attention = _attention_forward(architecture, length=length)
    forward = _FORWARD * weights + attention
    backward = _BACKWARD_INPUTS * weights + 2 * attention
    backward += 0 if trainable_adapter else _BACKWARD_WEIGHTS * weights
    adapter = (_FORWARD + _BACKWARD_INPUTS + _BACKWARD_WEIGHTS) * trainable_adapter
    reference = forward if live_reference else 0
    # The output head is outside the checkpointed layers.
    head = _FORWARD * architecture.vocab_size * architecture.hidden_size
    return TokenFlops(
        model=forward + backward + adapter + reference, recomputed=forward - head if checkpointing else 0.0
    )


def _attention_forward(a: Architecture, *, length: float) -> float:
    """Scores and their product with the values: 4 per layer, width and position looked at."""
    window = min(length, a.sliding_window) if a.sliding_window is not None else length
    positions = (a.num_layers - a.sliding_layers) * length + a.sliding_layers * window
    return 4 * a.query_size * positions
