"""Ray Train's backend for torch, without importing torch in the driver or the controller.

`ray.train.torch.TorchConfig` imports torch where it is unpickled, which costs driver and controller some three seconds
each, one after the other, before a worker exists. Here Ray Train only spreads the address (the variables of
torch.distributed's `env://`); each rank joins the group in its own training thread, where an error is a restart in the
ledger and not a failure of the controller.
"""

import os
import socket
from datetime import timedelta
from typing import Any

from ray.train.backend import Backend, BackendConfig


class _ProcessGroupBackend(Backend):
    # Peer-to-peer copies of NCCL need all of a node's GPUs to be visible to each of its ranks.
    share_cuda_visible_devices = True

    def on_start(self, worker_group: Any, backend_config: BackendConfig) -> None:
        del backend_config
        address, port = worker_group.execute_single(0, _free_address)
        worker_group.execute(_set_rendezvous, address, port)


class ProcessGroupConfig(BackendConfig):
    """Spreads MASTER_ADDR and MASTER_PORT; see join_process_group."""

    @property
    def backend_cls(self) -> type[Backend]:
        return _ProcessGroupBackend


def _free_address() -> tuple[str, int]:
    # Runs on rank 0. The port may be taken again before torch binds it; the start then fails as PeerLost and is
    # made again, as with TorchConfig.
    import ray  # noqa: PLC0415  on a worker, where it is loaded

    address = ray.util.get_node_ip_address()
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as server:
        server.bind(("", 0))
        return address, server.getsockname()[1]


def _set_rendezvous(address: str, port: int) -> None:
    os.environ["MASTER_ADDR"] = address
    os.environ["MASTER_PORT"] = str(port)


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
