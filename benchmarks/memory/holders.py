"""Which tensors a DeepSpeed engine holds, and what for. Reads attributes of DeepSpeed 0.19.8; a test guards them."""

from collections.abc import Iterator
from typing import Any

import torch


def held_by(engine: Any) -> Iterator[tuple[str, list[torch.Tensor | None]]]:
    """(category, tensors), what is surest last: a later name outweighs an earlier one."""
    optimizer = engine.optimizer
    inner = getattr(optimizer, "optimizer", optimizer)
    yield (
        "buckets",
        [buffer for bucket in getattr(optimizer, "ipg_buckets", {}).values() for buffer in _buffers(bucket)],
    )
    yield "gradients", [parameter.grad for parameter in engine.module.parameters()]
    yield "gradients", _gradients(optimizer)
    yield "optimizer", [value for state in inner.state.values() for value in state.values() if torch.is_tensor(value)]
    for name in ("single_partition_of_fp32_groups", "fp32_partitioned_groups_flat"):
        yield "optimizer", list(getattr(optimizer, name, []))
    for group in getattr(optimizer, "fp32_groups", []):  # ZeRO-0 in bfloat16: a copy of each parameter
        yield "optimizer", list(group)
    yield "weights", [parameter.data for parameter in engine.module.parameters() if not hasattr(parameter, "ds_id")]
    yield "weights", [parameter.ds_tensor for parameter in engine.module.parameters() if hasattr(parameter, "ds_id")]
    yield "weights", list(engine.module.buffers())
    for name in ("bit16_groups_flat", "fp16_partitioned_groups_flat"):
        yield "weights", list(getattr(optimizer, name, []))


def gathered(module: torch.nn.Module) -> list[torch.Tensor | None]:
    """ZeRO-3's whole parameters that are there at this moment, small persistent ones included."""
    return [p.data for p in module.parameters() if hasattr(p, "ds_id") and p.data.numel() >= p.ds_numel]


def _buffers(bucket: Any) -> list[torch.Tensor]:
    buffer = bucket.buffer
    return [buffer] if torch.is_tensor(buffer) else list(buffer or [])


def _gradients(optimizer: Any) -> list[torch.Tensor | None]:
    found: list[torch.Tensor | None] = [getattr(optimizer, "grads_in_partition", None)]
    found.append(getattr(optimizer, "grad_partitions_flat_buffer", None))
    for name in ("averaged_gradients", "all_grad_tensors"):
        held = getattr(optimizer, name, None) or {}
        for tensors in held.values() if isinstance(held, dict) else held:
            found += list(tensors or [])
    return found
