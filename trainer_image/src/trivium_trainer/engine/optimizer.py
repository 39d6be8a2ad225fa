"""AdamW over two groups of parameters: those that decay and those that do not."""

from typing import Any

import torch

from trivium_trainer.config import Optimization


def build_optimizer(model: torch.nn.Module, optimization: Optimization, *, fused: bool) -> torch.optim.Optimizer:
    """AdamW of torch over the trainable parameters. The loop sets the learning rate before every step.

    `fused` is torch's one-kernel update; ZeRO-offload keeps the optimizer's state elsewhere and takes the plain one.
    """
    groups = parameter_groups(model, weight_decay=optimization.weight_decay)
    return torch.optim.AdamW(
        groups,
        lr=optimization.learning_rate,
        betas=(optimization.beta1, optimization.beta2),
        eps=optimization.epsilon,
        fused=fused,
    )


def parameter_groups(model: torch.nn.Module, *, weight_decay: float) -> list[dict[str, Any]]:
    """Trainable parameters, decayed and not: norms, biases and everything else with one dimension do not decay.

    Under zero.Init a parameter's own shape is empty and `ds_shape` holds the real one.
    """
    decayed: list[torch.nn.Parameter] = []
    undecayed: list[torch.nn.Parameter] = []
    for parameter in model.parameters():
        if parameter.requires_grad:
            dimensions = len(getattr(parameter, "ds_shape", parameter.shape))
            (decayed if dimensions > 1 else undecayed).append(parameter)
    if weight_decay == 0:
        # One group: ZeRO flattens by group, and two would only double the number of collectives.
        return [{"params": decayed + undecayed, "weight_decay": 0.0}]
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": undecayed, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]
