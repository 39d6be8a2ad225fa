"""A DeepSpeed engine around a model, and the proof that it is one."""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch

from trivium_trainer.config import Optimization
from trivium_trainer.engine.optimizer import build_optimizer


def build_engine(model: Any, optimization: Optimization, *, deepspeed_config: dict[str, Any]) -> Any:
    """An engine that trains `model`: ZeRO stage, precision and batch sizes as `deepspeed_config` says."""
    import deepspeed  # noqa: PLC0415  reads DS_ACCELERATOR at import, which train_worker sets first

    engine, *_ = deepspeed.initialize(
        model=model,
        optimizer=build_optimizer(model, optimization, fused=True),
        config=deepspeed_config,
        dist_init_required=False,
    )
    check_engine(engine, zero_stage=deepspeed_config["zero_optimization"]["stage"])
    return engine


def build_frozen_engine(model: Any, *, deepspeed_config: dict[str, Any]) -> Any:
    """A ZeRO-3 engine that only runs forward: a reference model that no single rank could hold."""
    import deepspeed  # noqa: PLC0415  see build_engine

    engine, *_ = deepspeed.initialize(model=model, config=deepspeed_config, dist_init_required=False)
    engine.eval()
    return engine


def check_engine(engine: Any, *, zero_stage: int) -> None:
    """Refuse to train under another engine than the one asked for.

    Several settings make Hugging Face trainers pass over DeepSpeed in silence; a job must not claim ZeRO and run DDP.
    """
    from deepspeed import DeepSpeedEngine  # noqa: PLC0415  see build_engine
    from deepspeed.runtime.base_optimizer import ZeROOptimizer  # noqa: PLC0415 - seconds, and only once settings stand

    if not isinstance(engine, DeepSpeedEngine):
        raise TypeError(f"the engine is {type(engine).__name__}, not DeepSpeed's")
    if engine.zero_optimization_stage() != zero_stage:
        raise RuntimeError(f"the engine runs ZeRO-{engine.zero_optimization_stage()}, not ZeRO-{zero_stage}")
    if zero_stage > 0 and not isinstance(engine.optimizer, ZeROOptimizer):
        raise RuntimeError(f"the optimizer is {type(engine.optimizer).__name__}, which divides no state")


@contextlib.contextmanager
def whole_parameters(engine: Any, *, zero_stage: int) -> Iterator[None]:
    """Inside, every rank sees every parameter in full. At ZeRO-3 this is a collective and needs the memory."""
    if zero_stage < 3:
        yield
        return
    import deepspeed  # noqa: PLC0415  see build_engine

    with deepspeed.zero.GatheredParameters(list(engine.module.parameters())):
        yield


def gather_state(engine: Any, *, zero_stage: int, is_first: bool, only_trainable: bool) -> dict[str, torch.Tensor]:
    """The weights on rank 0's CPU, parameter by parameter; other ranks take part and get nothing.

    Source: as DeepSpeed's own consolidation, which casts to 16 bits and therefore is not used.
    """
    state: dict[str, torch.Tensor] = {}
    # A tied weight is saved once, under its first name, and tied again when it is loaded. PEFT wants all its names.
    for name, parameter in engine.module.named_parameters(remove_duplicate=not only_trainable):
        if only_trainable and not parameter.requires_grad:
            continue
        with _whole(parameter, zero_stage=zero_stage):
            if is_first:
                state[name] = parameter.detach().cpu().clone()
    if is_first and not only_trainable:
        kept = set(engine.module.state_dict().keys())
        state |= {name: buffer.detach().cpu() for name, buffer in engine.module.named_buffers() if name in kept}
    return state


def _whole(parameter: torch.nn.Parameter, *, zero_stage: int) -> Any:
    if zero_stage < 3:
        return contextlib.nullcontext()
    import deepspeed  # noqa: PLC0415  see build_engine

    return deepspeed.zero.GatheredParameters([parameter])
