"""An API server's core in memory: the rules that reconcile relies on, and no other.

Kept as Kubernetes has them: uid, resourceVersion (one counter for all objects, deletions included), generation (moves
with spec only), creationTimestamp, refused conflicts, a status that only its subresource writes, deletion with a uid
precondition, and the background collection of children whose owners are gone. Not kept: finalizers, because the one
writer of a state folder ends what hangs on an object before it lets go. Not thread-safe: one event loop owns it.
"""

import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from trivium.local.field_ownership import merge_apply
from trivium.ports import ConflictError, Manifest, NotFoundError, ObjectKey, RefusedError

CLUSTER_SCOPED = frozenset({"ComputeProfile", "Namespace"})
# Kinds whose status is a subresource; writes of the main resource leave it as it is.
WITH_STATUS = frozenset({"PretrainJob", "SFTJob", "PreferenceJob", "RayJob", "RayCluster", "Pod"})

Object = dict[str, Any]
Admission = Callable[[Manifest | None, Object], Object]
"""(old or None, new) -> what is stored, with defaults. Raises RefusedError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One line of a watch."""

    type: Literal["ADDED", "MODIFIED", "DELETED"]
    manifest: Manifest


class Journal(Protocol):
    """Where changes go before anyone hears of them."""

    def load(self) -> tuple[Iterable[Object], int]:
        """Every object, and the newest revision ever given out."""

    def write(self, key: ObjectKey, manifest: Object) -> None:
        """Keep an object; durable when it returns."""

    def remove(self, key: ObjectKey, *, revision: int) -> None:
        """Forget an object; its revision is never given out again."""


def key_of(manifest: Manifest) -> ObjectKey:
    """The address a manifest names. Raises RefusedError where it names none."""
    metadata = manifest.get("metadata") or {}
    kind, name = manifest.get("kind"), metadata.get("name")
    if not kind or not name or not manifest.get("apiVersion"):
        raise RefusedError("apiVersion, kind and metadata.name: an object needs all three. Add what is missing.")
    namespace = "" if kind in CLUSTER_SCOPED else metadata.get("namespace") or ""
    if kind not in CLUSTER_SCOPED and not namespace:
        raise RefusedError(f"metadata.namespace: {kind} {name} has none, and it lives in one. Add it.")
    return ObjectKey(kind=kind, namespace=namespace, name=name)


class ObjectStore:
    """Objects by address; see the module for the rules."""

    def __init__(
        self,
        journal: Journal,
        *,
        clock: Callable[[], datetime],
        new_uid: Callable[[], str],
        admit: Admission = lambda _old, new: new,
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._new_uid = new_uid
        self._admit = admit
        self._watchers: list[Callable[[Change], None]] = []
        self._pending: deque[Change] = deque()
        objects, self._revision = journal.load()
        self._objects: dict[ObjectKey, Object] = {key_of(item): item for item in objects}
        self._collect_orphans()  # a crash between an owner's removal and its children's

    def watch(self, watcher: Callable[[Change], None]) -> None:
        """Call `watcher` after every change from now on, in order; it gets a copy of its own."""
        self._watchers.append(watcher)

    def get(self, key: ObjectKey) -> Object | None:
        """A copy of the object, or None."""
        found = self._objects.get(key)
        return None if found is None else _copy(found)

    def list_all(self, kind: str) -> list[Object]:
        """Copies of every object of a kind, by namespace and name."""
        return [_copy(self._objects[key]) for key in sorted(self._objects) if key.kind == kind]

    def create(self, manifest: Manifest) -> Object:
        """Raises ConflictError if the name is taken."""
        key = key_of(manifest)
        if key in self._objects:
            raise ConflictError(f"{key.kind} {key.namespace}/{key.name} exists already")
        new = _copy(manifest)
        if key.kind in WITH_STATUS:
            new.pop("status", None)
        new = self._admit(None, new)
        generation = {"generation": 1} if "spec" in new else {}
        new["metadata"] |= generation | {
            "uid": self._new_uid(),
            "creationTimestamp": self._clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        return self._commit(key, new, "ADDED")

    def apply(self, manifest: Manifest, *, manager: str) -> Object:
        """Forced server-side apply: create, or replace the fields that this manager owns."""
        key = key_of(manifest)
        live = self._objects.get(key)
        if live is None:
            bare = {field: manifest[field] for field in ("apiVersion", "kind")}
            address = {name: value for name, value in (("name", key.name), ("namespace", key.namespace)) if value}
            return self.create(merge_apply({**bare, "metadata": address}, manifest, manager=manager))
        new = self._admit(_copy(live), merge_apply(live, manifest, manager=manager))
        if new == live:
            return _copy(live)
        if new.get("spec") != live.get("spec"):
            new["metadata"]["generation"] = live["metadata"].get("generation", 0) + 1
        return self._commit(key, new, "MODIFIED")

    def replace_status(self, manifest: Manifest) -> Object:
        """PUT of the status subresource. Raises NotFoundError, ConflictError (resourceVersion or uid)."""
        key = key_of(manifest)
        live = self._objects.get(key)
        if live is None:
            raise NotFoundError(f"{key.kind} {key.namespace}/{key.name} is not there")
        metadata = manifest["metadata"]
        for field in ("resourceVersion", "uid"):
            if metadata.get(field, live["metadata"][field]) != live["metadata"][field]:
                raise ConflictError(f"{key.kind} {key.namespace}/{key.name}: metadata.{field} is not the newest")
        status = _copy(manifest.get("status", {}))
        if status == live.get("status", {}):
            return _copy(live)
        return self._commit(key, {**_copy(live), "status": status}, "MODIFIED")

    def delete(self, key: ObjectKey, *, uid: str | None = None) -> None:
        """Delete, children included; absent or another uid counts as done."""
        live = self._objects.get(key)
        if live is None or (uid is not None and live["metadata"]["uid"] != uid):
            return
        self._remove(key)
        self._collect_orphans()

    def _remove(self, key: ObjectKey) -> None:
        gone = self._objects[key]
        self._revision += 1
        self._journal.remove(key, revision=self._revision)
        del self._objects[key]
        gone["metadata"]["resourceVersion"] = str(self._revision)
        self._announce(Change(type="DELETED", manifest=gone))

    def _collect_orphans(self) -> None:
        """Delete what had owners and has none left; the garbage collector's background policy."""
        while True:
            uids = {item["metadata"]["uid"] for item in self._objects.values()}
            orphans = [key for key, item in self._objects.items() if _is_orphan(item, uids)]
            if not orphans:
                return
            for key in orphans:
                self._remove(key)

    def _commit(self, key: ObjectKey, manifest: Object, change: Literal["ADDED", "MODIFIED"]) -> Object:
        manifest["metadata"]["resourceVersion"] = str(self._revision + 1)
        self._journal.write(key, manifest)
        self._revision += 1
        self._objects[key] = manifest
        self._announce(Change(type=change, manifest=manifest))
        return _copy(manifest)

    def _announce(self, change: Change) -> None:
        """Tell the watchers; a change that a watcher makes waits until all have heard of this one."""
        self._pending.append(Change(type=change.type, manifest=_copy(change.manifest)))
        if len(self._pending) > 1:
            return
        while self._pending:
            for watcher in self._watchers:
                watcher(self._pending[0])
            self._pending.popleft()


def _is_orphan(manifest: Object, uids: set[str]) -> bool:
    owners = manifest["metadata"].get("ownerReferences") or []
    return bool(owners) and not any(owner["uid"] in uids for owner in owners)


def _copy(manifest: Mapping[str, Any]) -> Object:
    """A deep copy that holds nothing JSON could not: what is stored is what a restart reads."""
    copied: Object = json.loads(json.dumps(manifest))
    return copied
