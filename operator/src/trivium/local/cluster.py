"""The ports of reconcile over the object store: what `kube/` is to Kubernetes, for one process on one machine."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from trivium.local.object_store import ObjectStore
from trivium.local.snapshots import replace_file
from trivium.ports import Event, Manifest, ObjectKey

FIELD_MANAGER = "trivium-operator"
_MAX_EVENTS = 1000  # kept of at most twice as many; Kubernetes forgets them after an hour


class LocalCluster:
    """ports.Cluster, without a network: no call ever raises TransientError."""

    def __init__(self, store: ObjectStore, *, events: Path) -> None:
        self._store = store
        self._events = events

    async def get(self, key: ObjectKey) -> Manifest | None:
        """See ports.Cluster."""
        return self._store.get(key)

    async def list_all(self, kind: str) -> Sequence[Manifest]:
        """See ports.Cluster."""
        return self._store.list_all(kind)

    async def create(self, manifest: Manifest) -> Manifest:
        """See ports.Cluster."""
        return self._store.create(manifest)

    async def apply(self, manifest: Manifest) -> Manifest:
        """See ports.Cluster."""
        return self._store.apply(manifest, manager=FIELD_MANAGER)

    async def delete(self, key: ObjectKey, *, uid: str) -> None:
        """See ports.Cluster."""
        self._store.delete(key, uid=uid)

    async def replace_status(self, manifest: Manifest) -> Manifest:
        """See ports.Cluster."""
        return self._store.replace_status(manifest)

    async def emit(self, event: Event) -> None:
        """Append to the events' file; an event is news, and a full disk shows elsewhere first."""
        line = json.dumps({"at": datetime.now(UTC).isoformat(timespec="seconds"), **asdict(event)})
        self._events.parent.mkdir(parents=True, exist_ok=True)
        with self._events.open("a") as stream:
            stream.write(f"{line}\n")
            long = stream.tell() > _MAX_EVENTS * 1024
        if long:
            lines = self._events.read_text().splitlines()[-_MAX_EVENTS:]
            replace_file(self._events, "\n".join(lines) + "\n")


def read_events(path: Path) -> list[dict[str, Any]]:
    """Events, oldest first; a torn last line is left out."""
    if not path.exists():
        return []
    events = []
    for line in path.read_text().splitlines():
        try:
            events.append(json.loads(line))
        except ValueError:
            continue
    return events
