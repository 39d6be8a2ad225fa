"""Where the progress Service leads: to the one replica that acts.

The Service has no selector, so that Kubernetes leaves its endpoints to us. Of two addresses in one slice half of all
reports would reach the replica that does not act.
"""

from ipaddress import ip_address

from trivium.kube.client import Connection
from trivium.kube.cluster import FIELD_MANAGER


class EndpointPublisher:
    """Writes the one EndpointSlice of a Service, in the operator's own namespace."""

    def __init__(self, connection: Connection, *, namespace: str, service: str, port_name: str = "progress") -> None:
        self._connection = connection
        self._namespace = namespace
        self._service = service
        self._port_name = port_name

    async def publish(self, address: str, port: int) -> None:
        """Lead the Service to this address, and to no other. Raises the errors of ports.py."""
        name = f"{self._service}-holder"
        manifest = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": name,
                "namespace": self._namespace,
                "labels": {
                    "kubernetes.io/service-name": self._service,
                    "endpointslice.kubernetes.io/managed-by": "trivium.dev",
                },
            },
            "addressType": f"IPv{ip_address(address).version}",
            "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
            "ports": [{"name": self._port_name, "port": port, "protocol": "TCP"}],
        }
        path = f"/apis/discovery.k8s.io/v1/namespaces/{self._namespace}/endpointslices/{name}"
        await self._connection.write(
            "PATCH",
            path,
            manifest,
            query={"fieldManager": FIELD_MANAGER, "force": "true", "fieldValidation": "Strict"},
            content_type="application/apply-patch+yaml",
        )
