"""The ports of reconcile: what a cluster must offer, whether it is Kubernetes (`kube/`) or this machine (`local/`).

Objects travel as plain manifests (`dict`), as the API server would return them. The errors here are the only ones that
reconcile knows; each implementation converts its client's errors at the border, chained.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from trivium.api.status import JobStatus

Manifest = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ObjectKey:
    """An object's address. `namespace` is empty for cluster-scoped kinds."""

    kind: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of `kubectl describe`: about `regarding`, once per transition."""

    regarding: ObjectKey
    uid: str
    type: str
    """Normal or Warning."""
    reason: str
    message: str


class ClusterError(Exception):
    """Anything that went wrong between us and the cluster."""


class TransientError(ClusterError):
    """Worth the same call again: time-out, 429, 5xx, connection refused."""


class ConflictError(ClusterError):
    """The object changed since it was read (resourceVersion or uid precondition), or it exists already."""


class NotFoundError(ClusterError):
    """The object is not there."""


class RefusedError(ClusterError):
    """The server will not have it (400, 403, 422): the same call again is pointless."""


class Cluster(Protocol):
    """Live access. Every call may raise TransientError."""

    async def get(self, key: ObjectKey) -> Manifest | None:
        """The object now, past any cache; None if there is none."""

    async def list_all(self, kind: str) -> Sequence[Manifest]:
        """Every object of a kind in the watched namespaces."""

    async def create(self, manifest: Manifest) -> Manifest:
        """Create; ConflictError if the name is taken."""

    async def apply(self, manifest: Manifest) -> Manifest:
        """Server-side apply under our field manager."""

    async def delete(self, key: ObjectKey, *, uid: str) -> None:
        """Delete in the background if the uid still matches; absent or another uid counts as done."""

    async def replace_status(self, manifest: Manifest) -> Manifest:
        """PUT the status subresource; ConflictError if `metadata.resourceVersion` is not the newest."""

    async def emit(self, event: Event) -> None:
        """Publish an event; a loss is logged and never raised."""


class Clock(Protocol):
    """Time as reconcile's engine sees it; a simulation passes its own, which only moves when told."""

    def now(self) -> datetime:
        """The time in UTC, with its zone."""

    async def wait(self, event: asyncio.Event, *, until: datetime | None) -> None:
        """Return when `event` is set or `until` has passed, whichever is first."""


class Observer:
    """Told of passes and of what they changed, on the engine's loop, in the task of the pass; must neither wait nor
    raise. This one takes no notice of anything.
    """

    def on_pass_begin(self, key: ObjectKey, *, waited: timedelta) -> None:
        """A pass begins; its key had been ready for `waited`."""

    def on_pass_end(self, key: ObjectKey, *, took: timedelta, error: Exception | None) -> None:
        """It is over; `error` is what kept it from its end."""

    def on_status(self, key: ObjectKey, *, old: JobStatus, new: JobStatus) -> None:
        """A status write succeeded. Once per write; a write whose answer was lost is not told of."""


class LocalTime(Protocol):
    """Time inside one process, for what must not depend on anybody's wall clock."""

    def monotonic(self) -> float:
        """Seconds that only grow, and go on while the process is stopped."""

    def utc(self) -> datetime:
        """The wall clock, for people."""

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds."""


class LeaseStore(Protocol):
    """The one Lease of an installation (`coordination.k8s.io/v1`). Every call may raise TransientError."""

    async def get(self) -> Manifest | None:
        """The Lease now, past any cache; None if there is none yet."""

    async def create(self, lease: Manifest) -> Manifest:
        """Create it under its own name; ConflictError if another was faster."""

    async def update(self, lease: Manifest) -> Manifest:
        """PUT; ConflictError if `metadata.resourceVersion` is not the newest."""
