"""The process group as the recipes see it: a rank, and the four collectives that they need."""

import contextlib
import os
import pickle
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

CONTROL_TIMEOUT = timedelta(hours=6)
"""Rank 0 may convert a large checkpoint while the others wait; the watchdog, not gloo, decides what is a hang."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranks:
    """One process among the others. `control` is a gloo group: decisions never wait for the GPU's stream."""

    rank: int
    world_size: int
    device: torch.device
    control: Any

    @property
    def is_first(self) -> bool:
        """Whether this is rank 0, the one that writes."""
        return self.rank == 0

    def barrier(self) -> None:
        """Wait for every rank."""
        if self.world_size > 1:
            dist.barrier(group=self.control)

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        """Sum over the ranks, in place, on the device that the tensor is on."""
        if self.world_size > 1:
            dist.all_reduce(values)
        return values

    def broadcast(self, value: Any) -> Any:
        """Rank 0's value on every rank."""
        box = [value]
        if self.world_size > 1:
            dist.broadcast_object_list(box, src=0, group=self.control)
        return box[0]

    def gather(self, value: Any) -> list[Any]:
        """Every rank's value in rank order, on every rank."""
        values: list[Any] = [value]
        if self.world_size > 1:
            values = [None] * self.world_size
            dist.all_gather_object(values, value, group=self.control)
        return values

    @contextlib.contextmanager
    def first_goes_alone(self) -> Iterator[bool]:
        """True on rank 0 only. What fails there fails on every rank, instead of leaving the others in a barrier."""
        error: BaseException | None = None
        try:
            yield self.is_first
        except Exception as caught:  # noqa: BLE001  re-raised below, on every rank
            error = _portable(caught)
        shared = self.broadcast(error)
        if shared is not None:
            raise shared


def _portable(error: Exception) -> Exception:
    """The error, or what can be said of it where it cannot travel to the other ranks."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301  our own bytes
    except Exception:  # noqa: BLE001  any class may refuse in its own way
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def join(*, rank: int, world_size: int, local_rank: int, on_gpu: bool) -> Ranks:
    """Take the process group that Ray Train (or a test) has initialized, and let DeepSpeed reuse it.

    DeepSpeed reads the ranks from the environment (0.19.8: `engine._set_distributed_vars`).
    """
    if not dist.is_initialized():
        raise RuntimeError("torch.distributed is not initialized: train_worker runs inside a process group")
    # The device is the one that the driver has chosen: with one visible GPU for each process its number is always 0.
    device = torch.device("cuda", torch.cuda.current_device()) if on_gpu else torch.device("cpu")
    place = device.index if on_gpu else local_rank
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(world_size), "LOCAL_RANK": str(place)}
    control = dist.new_group(backend="gloo", timeout=CONTROL_TIMEOUT) if world_size > 1 else None
    _use_deepspeed()
    return Ranks(rank=rank, world_size=world_size, device=device, control=control)


def _use_deepspeed() -> None:
    import deepspeed  # noqa: PLC0415  reads DS_ACCELERATOR at import, which train_worker sets first
    from deepspeed.utils import logger  # noqa: PLC0415 - seconds, and only once settings stand

    logger.setLevel("WARNING")
    # DeepSpeed 0.19.8 calls collectives that torch 2.13 has renamed: one warning for each step and bucket.
    warnings.filterwarnings("ignore", message="`torch.distributed.*` is deprecated", category=FutureWarning)
    # DeepSpeed 0.19.8 compiles this op for 45 s at the first init_distributed, and crashes without a compiler. Written
    # before it is read, because the first read probes every op with the compiler. The name is private;
    # test_engine_settings guards it.
    vars(deepspeed.ops).setdefault("__compatible_ops__", {})["deepspeed_shm_comm"] = False
    deepspeed.init_distributed(verbose=False)
