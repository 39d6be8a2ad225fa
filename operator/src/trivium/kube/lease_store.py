"""ports.LeaseStore: the one Lease of an installation, through a connection that nothing else uses."""

from typing import Any

from trivium.kube.client import Connection
from trivium.ports import Manifest, NotFoundError


class KubeLeaseStore:
    """`connection`: one of its own, so that renewals wait for no write of a pass."""

    def __init__(self, connection: Connection, *, namespace: str, name: str) -> None:
        self._connection = connection
        self._leases = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._name = name

    async def get(self) -> Manifest | None:
        """See ports.LeaseStore."""
        try:
            found: dict[str, Any] = await self._connection.read(f"{self._leases}/{self._name}")
        except NotFoundError:
            return None
        return found

    async def create(self, lease: Manifest) -> Manifest:
        """See ports.LeaseStore."""
        metadata = {**lease["metadata"], "name": self._name}
        created: dict[str, Any] = await self._connection.write(
            "POST", self._leases, _lease({**lease, "metadata": metadata})
        )
        return created

    async def update(self, lease: Manifest) -> Manifest:
        """See ports.LeaseStore."""
        updated: dict[str, Any] = await self._connection.write("PUT", f"{self._leases}/{self._name}", _lease(lease))
        return updated


def _lease(manifest: Manifest) -> Manifest:
    return {**manifest, "apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
