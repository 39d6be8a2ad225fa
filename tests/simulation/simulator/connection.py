"""One process's connection to the API server: ports.Cluster and ports.LeaseStore with latency, and all that fails.

sent ──latency──> server acts ──latency──> answer         a strike hits before the act, after it, or instead of it
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from simulator.api_server import ApiServer
from trivium.ports import ConflictError, Event, Manifest, ObjectKey, TransientError
from trivium.store import key_of

if TYPE_CHECKING:
    from simulator.operators import OperatorProcess

LEASE = ObjectKey(kind="Lease", namespace="trivium", name="trivium-operator")
REQUEST_TIMEOUT_SECONDS = 4.0
"""Below the Lease's duration - renewal deadline (leader.py)."""
_LATENCY = (0.002, 0.04)


class Connection:
    """Every await in a process's life goes through here or through its clock, so a frozen or dead one does nothing."""

    def __init__(self, process: "OperatorProcess", server: ApiServer) -> None:
        self._process = process
        self._server = server
        self._loop = process.world.loop
        self._random = process.world.random
        self.strikes: deque[str | None] = deque()
        """What befalls the next writes, one each; None: nothing."""
        self.down_until = 0.0
        self.unreachable_until = 0.0

    # ports.Cluster

    async def get(self, key: ObjectKey) -> Manifest | None:
        return await self._call(lambda: self._server.get(key))

    async def list_all(self, kind: str) -> list[Manifest]:
        return await self._call(lambda: self._server.all(kind))

    async def create(self, manifest: Manifest) -> Manifest:
        return await self._write("create", key_of(manifest), lambda: self._server.create(manifest))

    async def apply(self, manifest: Manifest) -> Manifest:
        return await self._write("apply", key_of(manifest), lambda: self._server.apply(manifest))

    async def delete(self, key: ObjectKey, *, uid: str) -> None:
        await self._write("delete", key, lambda: self._server.delete(key, uid=uid))

    async def replace_status(self, manifest: Manifest) -> Manifest:
        return await self._write("status", key_of(manifest), lambda: self._server.replace_status(manifest))

    async def emit(self, event: Event) -> None:
        self._process.world.checks.on_event(event)

    # How a request fares

    async def _write(self, verb: str, key: ObjectKey, act: Callable[[], Any]) -> Any:
        strike = self.strikes.popleft() if self.strikes else None
        if strike == "killed before":
            self._process.kill()
        elif strike == "conflict":
            act = _raise(ConflictError("raced"))
        elif strike == "too many requests":
            act = _raise(TransientError("429"))
        elif strike == "server error":
            act = _raise(TransientError("500"))
        elif strike == "timeout, not done":
            await self._sleep(REQUEST_TIMEOUT_SECONDS)
            raise TransientError("timed out")
        answer = await self._call(self._watched(verb, key, act))
        if strike == "killed after":
            self._process.kill()
            await self._sleep(0)
        if strike == "timeout, done":
            await self._sleep(REQUEST_TIMEOUT_SECONDS)
            raise TransientError("timed out")
        return answer

    def _watched(self, verb: str, key: ObjectKey, act: Callable[[], Any]) -> Callable[[], Any]:
        def act_and_check() -> Any:
            checks = self._process.world.checks
            before = self._server.get(key)
            checks.before_write(self._process, verb, key)
            answer = act()
            checks.after_write(self._process, verb, key, before=before, after=self._server.get(key))
            return answer

        return act_and_check

    async def _call(self, act: Callable[[], Any]) -> Any:
        # What was sent arrives, also if its sender is stopped meanwhile.
        await asyncio.sleep(self._random.uniform(*_LATENCY))
        now = self._loop.time()
        if now < self.unreachable_until:
            await self._sleep(REQUEST_TIMEOUT_SECONDS)
            raise TransientError("timed out")
        if now < self.down_until:
            raise TransientError("503")
        answer = act()
        await self._sleep(self._random.uniform(*_LATENCY))
        return answer

    async def _sleep(self, seconds: float) -> None:
        await self._process.sleep(seconds)


class LeaseConnection:
    """ports.LeaseStore over the same wire, without strikes: elections have faults of their own."""

    def __init__(self, connection: Connection, server: ApiServer) -> None:
        self._connection, self._server = connection, server

    async def get(self) -> Manifest | None:
        return await self._connection._call(lambda: self._server.get(LEASE))

    async def create(self, lease: Manifest) -> Manifest:
        names = {"name": LEASE.name, "namespace": LEASE.namespace}
        whole = {"apiVersion": "coordination.k8s.io/v1", "kind": LEASE.kind, **lease, "metadata": names}
        return await self._connection._call(lambda: self._server.create(whole))

    async def update(self, lease: Manifest) -> Manifest:
        return await self._connection._call(lambda: self._server.replace(lease))


def _raise(error: Exception) -> Callable[[], Any]:
    def act() -> Any:
        raise error

    return act
