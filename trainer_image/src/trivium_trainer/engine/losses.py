"""Log-probabilities and losses over trained tokens, as sums: who calls divides by the whole global batch's count.

A label of -100 marks a token that is not trained. Logits at position t predict the token at t + 1.
"""

import inspect
from typing import Any

import torch
from torch.nn import functional

IGNORED = -100


def next_token_loss_sum(model: Any, inputs: dict[str, torch.Tensor], labels: torch.Tensor) -> torch.Tensor:
    """Summed cross-entropy of the trained tokens, in nats. `model` is an engine or a plain model.

    Cross-entropy in fp32 whatever the model's dtype: bf16 loses digits over a large vocabulary.
    """
    logits, targets = _logits_and_targets(model, inputs, labels)
    return functional.cross_entropy(
        logits.flatten(0, 1).float(), targets.flatten(), ignore_index=IGNORED, reduction="sum"
    )


def sequence_log_probs(model: Any, inputs: dict[str, torch.Tensor], labels: torch.Tensor) -> torch.Tensor:
    """Summed log-probability of each row's trained tokens. Shape [B], fp32, in nats."""
    logits, targets = _logits_and_targets(model, inputs, labels)
    losses = functional.cross_entropy(
        logits.flatten(0, 1).float(), targets.flatten(), ignore_index=IGNORED, reduction="none"
    )
    return -losses.view(targets.shape).sum(dim=1)


def _logits_and_targets(
    model: Any, inputs: dict[str, torch.Tensor], labels: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits [B, K, V] and targets [B, K] at the K positions where any row of the batch predicts a trained token.

    The output layer is most of a small model's work, and prompts train nothing: only K of T - 1 positions are computed.
    """
    next_tokens = labels[:, 1:]
    positions = (next_tokens != IGNORED).any(dim=0).nonzero().squeeze(1)
    if len(positions) == 0:
        positions = torch.zeros(1, dtype=torch.long)  # a row without trained tokens still needs a graph
    kept = positions.to(inputs["input_ids"].device)
    targets = next_tokens[:, positions].to(kept.device)
    if _keeps_logits(model):
        return model(**inputs, use_cache=False, logits_to_keep=kept).logits, targets
    return model(**inputs, use_cache=False).logits[:, kept], targets


def _keeps_logits(model: Any) -> bool:
    """Whether the model computes logits of chosen positions only (transformers: most, not all, causal models)."""
    plain = getattr(model, "module", model)
    plain = plain.get_base_model() if hasattr(plain, "get_base_model") else plain
    return "logits_to_keep" in inspect.signature(type(plain).forward).parameters
