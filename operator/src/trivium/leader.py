"""The Lease: who may write. One of two replicas holds it; the other is warm and takes over within its duration.

    holder   |renew ok|........... may write ..........|  gives up: ends its process
             sent_at                        sent_at + renew_deadline
    standby     |first sees that record| ............ lease duration .............| takes over

The holder counts from when it *sent* the renewal that succeeded, the standby from when it *first saw* that record,
which is later: so the first stops before the second may start, whatever their clocks say. Times are local and
monotonic; the times written in the Lease are for people. Source: k8s.io/client-go/tools/leaderelection.

What is left: a process that is stopped between the check of a write and its socket. Such a write comes late, and finds
a newer resourceVersion, a name that is taken or another uid: every write of ours has one of these preconditions.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from trivium.ports import Cluster, ClusterError, Event, LeaseStore, LocalTime, Manifest, ObjectKey

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseTiming:
    """Seconds. Those of client-go and of every controller-runtime operator."""

    duration: float = 15.0
    """A standby waits this long after the last change that it saw."""
    renew_deadline: float = 10.0
    """A holder that could not renew for this long stops. Every request must time out within duration - renew_deadline:
    what was sent just before the deadline must be over when the next holder begins.
    """
    retry: float = 2.0
    """Between two looks at the Lease."""

    def __post_init__(self) -> None:
        if not self.retry < self.renew_deadline < self.duration:
            raise ValueError(
                f"lease: retry {self.retry} s, renewal deadline {self.renew_deadline} s and duration {self.duration} s "
                "are not in rising order. Use 2, 10 and 15."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRecord:
    """A Lease as somebody read it."""

    holder: str
    """Empty: released."""
    transitions: int
    version: str
    """resourceVersion: another one is another record, also if it says the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A record and when this process first saw it. Units of `since`: local monotonic seconds."""

    record: LeaseRecord | None
    since: float


def sight(before: Sighting | None, record: LeaseRecord | None, *, now: float) -> Sighting:
    """What is known after a look: an unchanged record keeps the time at which it was first seen."""
    if before is not None and before.record == record:
        return before
    return Sighting(record=record, since=now)


def may_take(sighting: Sighting, *, me: str, now: float, timing: LeaseTiming) -> bool:
    """Whether the Lease is released, ours already, or was not renewed for its whole duration.

    A Lease that is not there may have been deleted under its holder, who does not know yet: that is waited out too.
    """
    record = sighting.record
    if record is not None and record.holder in ("", me):
        return True
    return now - sighting.since >= timing.duration


def still_holds(renewed_at: float | None, *, now: float, timing: LeaseTiming) -> bool:
    """Whether a holder whose last successful renewal was sent at `renewed_at` may write."""
    return renewed_at is not None and now - renewed_at < timing.renew_deadline


class LeaseLostError(ClusterError):
    """What this process may not write (any more), because it does not hold the Lease."""


@dataclass(slots=True, kw_only=True)
class Elector:
    """Takes the Lease and keeps it. `acquire`, then `keep`; when `keep` returns, the process has to end."""

    leases: LeaseStore
    time: LocalTime
    me: str
    """A name that no other process ever has: pod name and a random part, so that a restarted pod is another."""
    timing: LeaseTiming = field(default_factory=LeaseTiming)
    _sighting: Sighting | None = None
    _written: Manifest | None = None
    """The Lease as our last write left it, while we hold it."""
    _renewed_at: float | None = None

    def holds(self) -> bool:
        """Whether a write may be sent now."""
        return still_holds(self._renewed_at, now=self.time.monotonic(), timing=self.timing)

    async def acquire(self) -> None:
        """Wait until the Lease is ours."""
        while not await self._look():
            await self.time.sleep(self.timing.retry)
        _log.info("holds the Lease as %s", self.me)

    async def keep(self) -> None:
        """Renew until it is lost, or may be."""
        while self.holds():
            await self.time.sleep(self.timing.retry)
            # A process that was frozen wakes here: it must not renew what another may have taken meanwhile.
            if not self.holds():
                break
            if not await self._renew():
                await self._look()
            if self._is_anothers():
                break
        self._renewed_at = None
        _log.error("lost the Lease; this process ends")

    async def release(self) -> None:
        """At a clean exit, after the last write: the next holder need not wait."""
        if not self.holds() or self._sighting is None or self._sighting.record is None:
            return
        self._renewed_at = None
        try:
            live = await self.leases.get()
            if live is not None and _read(live).holder == self.me:
                await self.leases.update(
                    _lease(live, holder="", transitions=_read(live).transitions, timing=self.timing)
                )
        except ClusterError as error:
            _log.warning("the Lease was not released: %s", type(error).__name__)

    async def _renew(self) -> bool:
        """The usual case in one request: nobody has touched the Lease since our last write."""
        if self._written is None:
            return False
        sent_at = self.time.monotonic()
        try:
            self._keep(await self._write(self._written, _read(self._written)), sent_at=sent_at)
        except ClusterError:
            self._written = None
            return False
        return True

    async def _look(self) -> bool:
        """One look, and a try if it is promising. Returns whether the Lease was taken or renewed."""
        try:
            live = await self.leases.get()
            record = None if live is None else _read(live)
            self._sighting = sight(self._sighting, record, now=self.time.monotonic())
            if not may_take(self._sighting, me=self.me, now=self.time.monotonic(), timing=self.timing):
                return False
            sent_at = self.time.monotonic()
            self._keep(await self._write(live, record), sent_at=sent_at)
        except ClusterError as error:
            _log.warning("the Lease was not renewed: %s", type(error).__name__)
            return False
        return True

    def _keep(self, written: Manifest, *, sent_at: float) -> None:
        self._written, self._renewed_at = written, sent_at
        self._sighting = Sighting(record=_read(written), since=sent_at)

    async def _write(self, live: Manifest | None, record: LeaseRecord | None) -> Manifest:
        now = self.time.utc()
        if live is None or record is None:
            return await self.leases.create(_new_lease(holder=self.me, timing=self.timing, now=now))
        changed = record.holder != self.me
        transitions = record.transitions + changed
        return await self.leases.update(
            _lease(live, holder=self.me, transitions=transitions, timing=self.timing, now=now, acquired=changed)
        )

    def _is_anothers(self) -> bool:
        record = self._sighting.record if self._sighting is not None else None
        return record is not None and record.holder != self.me


def _read(lease: Manifest) -> LeaseRecord:
    spec: Mapping[str, Any] = lease.get("spec") or {}
    return LeaseRecord(
        holder=str(spec.get("holderIdentity") or ""),
        transitions=int(spec.get("leaseTransitions") or 0),
        version=str(lease["metadata"].get("resourceVersion") or ""),
    )


def _new_lease(*, holder: str, timing: LeaseTiming, now: datetime) -> Manifest:
    return _lease({"metadata": {}, "spec": {}}, holder=holder, transitions=0, timing=timing, now=now, acquired=True)


def _lease(
    live: Manifest,
    *,
    holder: str,
    transitions: int,
    timing: LeaseTiming,
    now: datetime | None = None,
    acquired: bool = False,
) -> Manifest:
    """The Lease as it is to be written; it keeps the version it was read at, which is the precondition."""
    stamp = None if now is None else now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    times = {} if stamp is None else {"renewTime": stamp, **({"acquireTime": stamp} if acquired else {})}
    spec = {
        **(live.get("spec") or {}),
        "holderIdentity": holder,
        "leaseDurationSeconds": int(timing.duration),
        "leaseTransitions": transitions,
        **times,
    }
    return {**live, "spec": spec}


class FencedCluster:
    """A cluster whose writes go out only while the Lease is held (ports.Cluster). Reads need no Lease.

    Checked at the moment of sending: a process that was frozen between its decision and its write does not send it.
    """

    def __init__(self, cluster: Cluster, elector: Elector) -> None:
        self._cluster = cluster
        self._elector = elector

    async def get(self, key: ObjectKey) -> Manifest | None:
        return await self._cluster.get(key)

    async def list_all(self, kind: str) -> Any:
        return await self._cluster.list_all(kind)

    async def create(self, manifest: Manifest) -> Manifest:
        self._check()
        return await self._cluster.create(manifest)

    async def apply(self, manifest: Manifest) -> Manifest:
        self._check()
        return await self._cluster.apply(manifest)

    async def delete(self, key: ObjectKey, *, uid: str) -> None:
        self._check()
        await self._cluster.delete(key, uid=uid)

    async def replace_status(self, manifest: Manifest) -> Manifest:
        self._check()
        return await self._cluster.replace_status(manifest)

    async def emit(self, event: Event) -> None:
        # What it tells was written under the Lease; telling it late harms nobody.
        await self._cluster.emit(event)

    def _check(self) -> None:
        if not self._elector.holds():
            raise LeaseLostError("the Lease is not held; nothing was written")
