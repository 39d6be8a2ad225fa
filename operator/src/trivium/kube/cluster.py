"""ports.Cluster over a real API server."""

import asyncio
import logging
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from trivium.kube.client import LIST_SECONDS, Connection
from trivium.kube.served_kinds import SERVED_KINDS, ServedKind
from trivium.ports import ClusterError, ConflictError, Event, Manifest, NotFoundError, ObjectKey

FIELD_MANAGER = "trivium"
_PAGE = 500
PROFILE = "ComputeProfile"
_REPORTER = "trivium.dev/operator"
_MAX_NOTE = 1024

_log = logging.getLogger(__name__)


class KubeCluster:
    """Lives on one event loop. `namespaces`: those that are watched; empty is all of them. `profiles`: ComputeProfiles
    that are given instead of the cluster's own, which one needs a right on the whole cluster to read.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        namespaces: Sequence[str] = (),
        instance: str = "trivium",
        profiles: Sequence[Manifest] | None = None,
    ) -> None:
        self._connection = connection
        self._profiles = profiles
        self._namespaces = tuple(namespaces)
        self._instance = instance
        self._kinds = SERVED_KINDS

    async def get(self, key: ObjectKey) -> Manifest | None:
        """See ports.Cluster."""
        kind = self._kinds[key.kind]
        try:
            return _manifest(kind, await self._connection.read(kind.path(key.namespace, key.name)))
        except NotFoundError:
            return None

    async def list_all(self, kind: str) -> Sequence[Manifest]:
        """See ports.Cluster. A kind whose CustomResourceDefinition is absent, and may be, has no objects."""
        served = self._kinds[kind]
        if kind == PROFILE and self._profiles is not None:
            return self._profiles
        spaces = self._namespaces if served.namespaced and self._namespaces else ("",)
        lists = await asyncio.gather(*(self._list(served, namespace) for namespace in spaces))
        return [one for each in lists for one in each]

    async def create(self, manifest: Manifest) -> Manifest:
        """See ports.Cluster. An unknown field is refused: what we render must be what the server keeps."""
        kind = self._kinds[manifest["kind"]]
        path = kind.path(_namespace(manifest))
        query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
        return _manifest(kind, await self._connection.write("POST", path, manifest, query=query))

    async def apply(self, manifest: Manifest) -> Manifest:
        """See ports.Cluster. Forced: what we apply is ours alone."""
        kind = self._kinds[manifest["kind"]]
        path = kind.path(_namespace(manifest), manifest["metadata"]["name"])
        query = {"fieldManager": FIELD_MANAGER, "force": "true", "fieldValidation": "Strict"}
        applied = await self._connection.write(
            "PATCH", path, manifest, query=query, content_type="application/apply-patch+yaml"
        )
        return _manifest(kind, applied)

    async def delete(self, key: ObjectKey, *, uid: str) -> None:
        """See ports.Cluster."""
        kind = self._kinds[key.kind]
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid},
            "propagationPolicy": "Background",
        }
        try:
            await self._connection.write("DELETE", kind.path(key.namespace, key.name), options)
        except NotFoundError:
            return
        except ConflictError:
            _log.info("%s %s: another object has this name now; it stays", key.kind, key.name)

    async def replace_status(self, manifest: Manifest) -> Manifest:
        """See ports.Cluster."""
        kind = self._kinds[manifest["kind"]]
        path = kind.path(_namespace(manifest), manifest["metadata"]["name"], subresource="status")
        query = {"fieldManager": f"{FIELD_MANAGER}-status", "fieldValidation": "Strict"}
        try:
            return _manifest(kind, await self._connection.write("PUT", path, manifest, query=query))
        except ConflictError as error:
            # With another uid of the same name the server says conflict, too; the caller's job is gone then.
            live = await self.get(
                ObjectKey(kind=manifest["kind"], namespace=_namespace(manifest), name=manifest["metadata"]["name"])
            )
            if live is None or live["metadata"]["uid"] != manifest["metadata"]["uid"]:
                raise NotFoundError(f"{path}: the object is gone") from error
            raise

    async def emit(self, event: Event) -> None:
        """See ports.Cluster."""
        namespace = event.regarding.namespace or "default"
        try:
            path = f"/apis/events.k8s.io/v1/namespaces/{namespace}/events"
            await self._connection.write("POST", path, self._event(event, namespace))
        except ClusterError as error:
            _log.warning(
                "event %s of %s %s is lost: %s", event.reason, event.regarding.kind, event.regarding.name, error
            )

    def _event(self, event: Event, namespace: str) -> dict[str, Any]:
        regarding, served = event.regarding, self._kinds[event.regarding.kind]
        return {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            # As client-go names them; a generated name may not end in a dot before its random part.
            "metadata": {"name": f"{regarding.name[:200]}.{secrets.token_hex(8)}", "namespace": namespace},
            "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "reportingController": _REPORTER,
            "reportingInstance": self._instance[:128],
            "action": event.reason,
            "reason": event.reason,
            "type": event.type,
            "note": event.message.encode()[:_MAX_NOTE].decode(errors="ignore"),
            "regarding": {
                "apiVersion": served.api_version,
                "kind": regarding.kind,
                "namespace": regarding.namespace,
                "name": regarding.name,
                "uid": event.uid,
            },
        }

    async def _list(self, kind: ServedKind, namespace: str) -> list[Manifest]:
        query = {"limit": str(_PAGE), "labelSelector": kind.selector}
        found: list[Manifest] = []
        while True:
            try:
                page = await self._connection.read(kind.path(namespace), query=query, seconds=LIST_SECONDS)
            except NotFoundError:
                if kind.optional:
                    return []
                raise
            found += [_manifest(kind, one) for one in page["items"]]
            query["continue"] = str((page.get("metadata") or {}).get("continue") or "")
            if not query["continue"]:
                return found


def _manifest(kind: ServedKind, raw: dict[str, Any]) -> Manifest:
    """Items of a list carry neither kind nor version."""
    return {**raw, "apiVersion": kind.api_version, "kind": kind.kind}


def _namespace(manifest: Manifest) -> str:
    return str(manifest["metadata"].get("namespace") or "")
