"""LoRA by PEFT: on every linear layer but the output layer and a mixture-of-experts router, and on new token rows."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from peft import LoraConfig, TaskType, get_peft_model

from trivium_trainer.config import Lora
from trivium_trainer.failure import FailureClass, TrainingError

ROUTER_NAMES = frozenset({"gate", "router", "shared_expert_gate"})
"""Last part of a router's module name in transformers; a feed-forward gate is called gate_proj."""


def attach_lora(model: Any, lora: Lora, *, added_token_ids: Sequence[int]) -> Any:
    """The model with a fresh adapter, everything else frozen.

    LoRA's own `all-linear` adapts fused experts and routers, and trains no new token row (measured, PEFT 0.21): hence
    the explicit list, and trainable_token_indices.
    """
    targets = _linear_names(model) if lora.target_modules == "all-linear" else _known_names(model, lora.target_modules)
    config = LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=targets,
        trainable_token_indices=list(added_token_ids) or None,
    )
    with _whole_embeddings(model, needed=bool(added_token_ids)):
        return get_peft_model(model, config)


@contextlib.contextmanager
def _whole_embeddings(model: Any, *, needed: bool) -> Iterator[None]:
    """PEFT 0.21 copies the rows of new tokens when it attaches, and ZeRO-3 has divided them by then."""
    layers = (model.get_input_embeddings(), model.get_output_embeddings())
    divided = [layer.weight for layer in layers if layer is not None and hasattr(layer.weight, "ds_id")]
    if not needed or not divided:
        yield
        return
    import deepspeed  # noqa: PLC0415  reads DS_ACCELERATOR at import, which train_worker sets first

    with deepspeed.zero.GatheredParameters(list(dict.fromkeys(divided))):
        yield


def _linear_names(model: Any) -> list[str]:
    output = model.get_output_embeddings()
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and module is not output and name.split(".")[-1] not in ROUTER_NAMES
    ]


def _known_names(model: Any, wanted: list[str]) -> list[str]:
    """The job's own list, checked: PEFT passes silently over a name that matches nothing if another one matches."""
    names = [name for name, _ in model.named_modules()]
    for one in wanted:
        if not any(name == one or name.endswith(f".{one}") for name in names):
            known = sorted({name.split(".")[-1] for name in _linear_names(model)})
            raise TrainingError(
                FailureClass.USER_ERROR,
                "UnknownTargetModule",
                f"adapter.lora.targetModules: {one} is no module of this model.",
                remedy=f"Use all-linear, or some of {', '.join(known)}.",
            )
    return wanted
