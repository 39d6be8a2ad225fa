"""The API server: objects with versions, preconditions, owners and finalizers. Synchronous; who calls it waits outside.

Objects are values: nobody changes a manifest that was stored or read. Each change is told to every listener at once
(watches.py decides when a process hears of it), and then to the invariants.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from simulator.loop import VirtualLoop, rfc3339, wall_clock
from trivium.ports import ConflictError, Manifest, NotFoundError, ObjectKey, RefusedError
from trivium.store import controller_uid, key_of, uid_of

Listener = Callable[[str, Manifest], None]
_COLLECTION_SECONDS = 1.0  # the garbage collector notices an owner's end about this fast
_SPEC_PARTS = ("spec", "data")


class ApiServer:
    """One namespace's worth of Kubernetes."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._objects: dict[ObjectKey, Manifest] = {}
        self._version = 0
        self.listeners: list[Listener] = []
        self.admission: list[Callable[[dict[str, Any]], None]] = []
        """Mutating webhooks of creations; each may change the manifest or raise."""

    def get(self, key: ObjectKey) -> Manifest | None:
        return self._objects.get(key)

    def all(self, kind: str) -> list[Manifest]:
        return [self._objects[key] for key in sorted(self._objects) if key.kind == kind]

    def owned_by(self, uid: str, kind: str) -> list[Manifest]:
        return [m for m in self.all(kind) if controller_uid(m) == uid]

    def create(self, manifest: Manifest) -> Manifest:
        new = _through_the_wire(manifest)
        for admit in self.admission:
            admit(new)
        key = key_of(new)
        if key in self._objects:
            raise ConflictError(f"{key.kind} {key.name} exists")
        now = rfc3339(wall_clock(self._loop))
        new["metadata"] = {"generation": 1, "creationTimestamp": now, "uid": f"uid-{self._version + 1}"} | new[
            "metadata"
        ]
        written = self._store(new, event="ADDED")
        self._collect_orphan(written)
        return written

    def replace_status(self, manifest: Manifest) -> Manifest:
        live = self._live(key_of(manifest))
        sent, have = manifest["metadata"].get("resourceVersion"), live["metadata"]["resourceVersion"]
        if sent != have or uid_of(manifest) != uid_of(live):
            raise ConflictError(f"{key_of(live).name}: version {sent} is not the newest ({have})")
        return self.update(key_of(live), status=_through_the_wire(manifest["status"]))

    def apply(self, manifest: Manifest) -> Manifest:
        key = key_of(manifest)
        live = self._objects.get(key)
        if live is None:
            return self.create(manifest)
        parts = {name: value for name, value in _through_the_wire(manifest).items() if name != "metadata"}
        return self._write(live, {**live, **parts})

    def replace(self, manifest: Manifest) -> Manifest:
        """PUT of a whole object, with the version it was read at."""
        live = self._live(key_of(manifest))
        if manifest["metadata"].get("resourceVersion") != live["metadata"]["resourceVersion"]:
            raise ConflictError(f"{key_of(live).name}: changed meanwhile")
        return self._write(live, {**_through_the_wire(manifest), "metadata": live["metadata"]})

    def update(self, key: ObjectKey, **parts: Any) -> Manifest:
        """Replace whole parts (spec, status); somebody other than the operator does this."""
        live = self._live(key)
        return self._write(live, {**live, **parts})

    def mark(self, key: ObjectKey, **metadata: Any) -> Manifest:
        """Replace parts of the metadata; None removes one."""
        live = self._live(key)
        merged = {k: v for k, v in (live["metadata"] | metadata).items() if v is not None}
        written = self._write(live, {**live, "metadata": merged})
        if merged.get("deletionTimestamp") and not merged.get("finalizers"):
            self._remove(key)
        return written

    def delete(self, key: ObjectKey, *, uid: str | None = None) -> None:
        """Background deletion. Absent, or another uid: nothing happens."""
        live = self._objects.get(key)
        if live is None or (uid is not None and uid_of(live) != uid):
            return
        if not live["metadata"].get("finalizers"):
            self._remove(key)
        elif not live["metadata"].get("deletionTimestamp"):
            self.mark(key, deletionTimestamp=rfc3339(wall_clock(self._loop)))

    def _live(self, key: ObjectKey) -> Manifest:
        live = self._objects.get(key)
        if live is None:
            raise NotFoundError(f"{key.kind} {key.name} is not there")
        return live

    def _write(self, live: Manifest, new: Mapping[str, Any]) -> Manifest:
        if all(new.get(part) == live.get(part) for part in new.keys() | live.keys()):
            return live  # as a real server: no change, no new version, no event
        generation = live["metadata"]["generation"] + any(new.get(p) != live.get(p) for p in _SPEC_PARTS)
        return self._store({**new, "metadata": {**new["metadata"], "generation": generation}}, event="MODIFIED")

    def _store(self, manifest: Mapping[str, Any], *, event: str) -> Manifest:
        self._version += 1
        metadata = {**manifest["metadata"], "resourceVersion": str(self._version)}
        written = {**manifest, "metadata": metadata}
        self._objects[key_of(written)] = written
        self._tell(event, written)
        return written

    def _remove(self, key: ObjectKey) -> None:
        self._version += 1
        live = self._objects.pop(key)
        gone = {**live, "metadata": {**live["metadata"], "resourceVersion": str(self._version)}}
        self._tell("DELETED", gone)
        self._loop.call_later(_COLLECTION_SECONDS, self._collect, uid_of(live))

    def _collect(self, owner: str) -> None:
        for key in [key for key, m in self._objects.items() if controller_uid(m) == owner]:
            self.delete(key)

    def _collect_orphan(self, manifest: Manifest) -> None:
        """A child that is made after its owner's end is collected too."""
        owner = controller_uid(manifest)
        if owner is not None and all(uid_of(m) != owner for m in self._objects.values()):
            self._loop.call_later(_COLLECTION_SECONDS, self._collect, owner)

    def _tell(self, event: str, manifest: Manifest) -> None:
        for listener in tuple(self.listeners):
            listener(event, manifest)


def _through_the_wire(value: Any) -> Any:
    """What arrives of a value: JSON, or nothing."""
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise RefusedError(f"not JSON: {error}") from error
