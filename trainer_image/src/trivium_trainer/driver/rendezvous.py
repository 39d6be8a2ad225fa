"""Ray Train's backend for torch, without importing torch in the driver or the controller.

`ray.train.torch.TorchConfig` imports torch where it is unpickled, which costs driver and controller some three seconds
each, one after the other, before a worker exists. Here Ray Train only spreads the address (the variables of
torch.distributed's `env://`); each rank joins the group in its own training thread, where an error is a restart in the
ledger and not a failure of the controller.
"""

import os
import socket
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
    """Spreads MASTER_ADDR and MASTER_PORT; see torch_group."""

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
