"""Make a process one rank of torch's default group. Imports neither torch nor ray before it is called."""

import os
from datetime import timedelta


def join_process_group(
    *, rank: int, world_size: int, local_rank: int, local_world_size: int, gpu: bool, timeout_seconds: float
) -> None:
    """Make this process rank `rank` of torch's default group: NCCL with a GPU, else gloo. Blocks until all are in."""
    import torch  # noqa: PLC0415  only ranks import torch

    # DeepSpeed and accelerate read these.
    names = {"RANK": rank, "WORLD_SIZE": world_size, "LOCAL_RANK": local_rank, "LOCAL_WORLD_SIZE": local_world_size}
    os.environ.update({name: str(value) for name, value in names.items()})
    if gpu:
        from ray.train.torch import get_device  # noqa: PLC0415  it imports torch

        torch.cuda.set_device(get_device())
        # Without it a dead peer is noticed only by the watchdog.
        os.environ.setdefault("TORCH_NCCL_ASYNC_ERROR_HANDLING", "1")
    torch.distributed.init_process_group(
        backend="nccl" if gpu else "gloo",
        rank=rank,
        world_size=world_size,
        timeout=timedelta(seconds=timeout_seconds),
    )


def leave_process_group() -> None:
    """Take leave in order, so that no rank's end looks like a death. After a failure the process ends anyway."""
    import torch  # noqa: PLC0415  only ranks import torch

    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
