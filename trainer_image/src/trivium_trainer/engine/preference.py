"""DPO's losses in the definitions of TRL 1.16 (`DPOTrainer._compute_loss`), as sums over pairs.

Ours differ in one point, on purpose: TRL averages the `sft` term over the tokens of each micro-batch, so its loss
changes with the micro-batch. Here every term is a sum, divided by the count of the whole global batch.
"""

from dataclasses import dataclass

import torch
from torch.nn import functional

from trivium_trainer.config import Dpo, DpoLoss
from trivium_trainer.failure import FailureClass, TrainingError

METRICS = (
    "reward_chosen",
    "reward_rejected",
    "reward_margin",
    "reward_accuracy",
    "logps_chosen",
    "logps_rejected",
    "chosen_loss",
)
"""Means over pairs, except chosen_loss: over the chosen answers' tokens (its exponential is their perplexity)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairLogProbs:
    """What a loss needs of P pairs. Each tensor is [P]; log-probabilities are sums over the answer, in nats."""

    chosen: torch.Tensor
    rejected: torch.Tensor
    reference_chosen: torch.Tensor
    reference_rejected: torch.Tensor
    chosen_tokens: torch.Tensor
    rejected_tokens: torch.Tensor


def check_losses(dpo: Dpo) -> None:
    """Refuse what no number of steps can train. Raises TrainingError(UserError)."""
    if dpo.label_smoothing == 0 and any(term.type == "exo_pair" for term in dpo.losses):
        raise TrainingError(
            FailureClass.USER_ERROR,
            "LabelSmoothingMissing",
            "dpo.labelSmoothing: 0 makes the loss exo_pair infinite, because it takes its logarithm.",
            remedy="Set labelSmoothing to a small value such as 0.001, or choose another loss.",
        )


def preference_loss(pairs: PairLogProbs, dpo: Dpo, *, num_pairs: int, num_chosen_tokens: int) -> torch.Tensor:
    """One micro-batch's share of the global batch's loss: the shares of all micro-batches add up to it.

    Units: num_pairs and num_chosen_tokens count the whole global batch.
    """
    total = pairs.chosen.new_zeros(())
    for term in dpo.losses:
        if term.type == "sft":
            share = -pairs.chosen.sum() / num_chosen_tokens
        else:
            share = _losses_of_pairs(term, pairs, dpo).sum() / num_pairs
        total = total + term.weight * share
    return total


def _losses_of_pairs(  # noqa: PLR0911  one return for each loss reads better than a variable
    term: DpoLoss, pairs: PairLogProbs, dpo: Dpo
) -> torch.Tensor:
    """One term's loss for each pair. Shape [P]. Sources are those that TRL names."""
    beta, epsilon = dpo.beta, dpo.label_smoothing
    chosen = pairs.chosen - pairs.reference_chosen
    rejected = pairs.rejected - pairs.reference_rejected
    delta = chosen - rejected
    log_sigmoid = functional.logsigmoid
    match term.type:
        case "sigmoid":  # Rafailov et al., arXiv 2305.18290
            return -log_sigmoid(beta * delta)
        case "hinge":  # SLiC, arXiv 2305.10425
            return torch.relu(1 - beta * delta)
        case "ipo":  # arXiv 2310.12036, eq. 17, with log-ratios averaged over tokens as its authors confirmed to TRL
            by_token = chosen / pairs.chosen_tokens.clamp(min=1) - rejected / pairs.rejected_tokens.clamp(min=1)
            return (by_token - 1 / (2 * beta)) ** 2
        case "robust":  # arXiv 2403.00409
            kept, flipped = -(1 - epsilon) * log_sigmoid(beta * delta), -epsilon * log_sigmoid(-beta * delta)
            return (kept - flipped) / (1 - 2 * epsilon)
        case "exo_pair":  # arXiv 2402.00856, eq. 16
            smoothing = torch.tensor(epsilon, device=delta.device)
            win = torch.sigmoid(beta * delta) * (log_sigmoid(beta * delta) - torch.log1p(-smoothing))
            lose = torch.sigmoid(-beta * delta) * (log_sigmoid(-beta * delta) - torch.log(smoothing))
            return win + lose
        case "apo_zero":  # arXiv 2408.06266, eq. 7
            return 1 - torch.sigmoid(beta * chosen) + torch.sigmoid(beta * rejected)
        case "apo_down":  # arXiv 2408.06266, eq. 8
            return torch.sigmoid(beta * chosen) + 1 - torch.sigmoid(beta * delta)
        case "sft":
            raise AssertionError("sft is no loss of pairs: preference_loss handles it")


def preference_metrics(pairs: PairLogProbs, *, beta: float, num_pairs: int, num_chosen_tokens: int) -> torch.Tensor:
    """One micro-batch's shares of METRICS, in their order. Detached."""
    chosen = beta * (pairs.chosen - pairs.reference_chosen).detach()
    rejected = beta * (pairs.rejected - pairs.reference_rejected).detach()
    by_pair = torch.stack(
        [
            chosen.sum(),
            rejected.sum(),
            (chosen - rejected).sum(),
            (chosen > rejected).sum().to(chosen.dtype),
            pairs.chosen.detach().sum(),
            pairs.rejected.detach().sum(),
        ]
    )
    return torch.cat([by_pair / num_pairs, -pairs.chosen.detach().sum().view(1) / num_chosen_tokens])
