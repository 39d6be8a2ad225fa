"""The operator's processes: two replicas of the real thing, each of which may be killed, frozen, cut off or misled.

A process is alive only while it awaits its clock or its connection; both return through `sleep`, which is where the
dead stay dead and the frozen wait.
"""

import asyncio
import contextlib
from collections.abc import Coroutine, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from simulator.connection import Connection, LeaseConnection
from simulator.loop import wall_clock
from simulator.watches import Watches
from trivium.controller import Controller, Reporter
from trivium.leader import Elector, FencedCluster
from trivium.ports import ClusterError, Manifest
from trivium.reconcile import Settings
from trivium.store import Store

if TYPE_CHECKING:
    from simulator.world import World

RESTART_SECONDS = 8.0
"""From a process's end to the start of its successor: the kubelet's, and Python's."""
PROGRESS_URL = "https://trivium.trivium.svc/v1alpha1/progress"


class OperatorProcess:
    """One process of one replica. ports.Clock and ports.LocalTime of itself."""

    def __init__(self, world: "World", *, replica: int, number: int) -> None:
        self.world = world
        self.replica = replica
        self.name = f"operator-{replica}-{number}"
        self.alive = True
        self.skew = timedelta(seconds=world.skews[replica])
        self._thawed = asyncio.Event()
        self._thawed.set()
        self._tasks: dict[asyncio.Task[Any], None] = {}
        """A dict, for its order: a set's depends on addresses."""
        self.connection = Connection(self, world.server)
        leases = LeaseConnection(self.connection, world.server)
        self.elector = Elector(leases=leases, time=self, me=self.name, timing=world.lease_timing)
        self.store = Store()
        self.controller: Controller | None = None
        self.leading_since = 0.0
        self.watches = Watches(world.loop, world.server, world.random, self._on_event)
        self.watches.list_anew()
        self._begin(self._live())

    # ports.Clock, ports.LocalTime

    def now(self) -> datetime:
        return wall_clock(self.world.loop) + self.skew

    def utc(self) -> datetime:
        return self.now()

    def monotonic(self) -> float:
        return self.world.loop.time()

    async def wait(self, event: asyncio.Event, *, until: datetime | None) -> None:
        if until is None:
            await event.wait()
        else:
            with contextlib.suppress(TimeoutError):  # as Clock.wait says: returns at the latest then
                async with asyncio.timeout(max(0.0, (until - self.now()).total_seconds())):
                    await event.wait()
        await self._resume()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self._resume()

    async def _resume(self) -> None:
        if not self._thawed.is_set():
            await self._thawed.wait()
        if not self.alive:
            raise asyncio.CancelledError

    # A process's life

    async def _live(self) -> None:
        await self.elector.acquire()
        settings = Settings(listening_since=self.now(), progress_url=PROGRESS_URL)
        self.leading_since = self.monotonic()
        self.controller = Controller(self.store, FencedCluster(self.connection, self.elector), settings, self)
        self._begin(self.controller.run())
        await self.elector.keep()
        self.kill()

    def _begin(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = self.world.loop.create_task(work)
        self._tasks[task] = None
        task.add_done_callback(self._tasks.pop)
        return task

    def kill(self) -> None:
        """SIGKILL. Whatever it had sent may still be done; nothing of it goes on."""
        if not self.alive:
            return
        self.alive = False
        self._thawed.set()
        self.watches.close()
        for task in tuple(self._tasks):
            task.cancel()
        self.world.loop.call_later(RESTART_SECONDS, self.world.start_operator, self.replica)

    def freeze(self, seconds: float) -> None:
        """Stopped, then continued where it was: a cgroup freezer, a debugger, a machine that swaps."""
        self._thawed.clear()
        self.world.loop.call_later(seconds, self._thawed.set)

    def jump(self, seconds: float) -> None:
        """The wall clock of this process's machine is set; who waits for a time on it looks again."""
        self.skew += timedelta(seconds=seconds)

    def cut_watches(self, seconds: float) -> None:
        """The streams break; after a while they list anew, and so does the operator (architecture.md, Wake)."""
        self.watches.go_deaf(seconds)
        self.world.loop.call_later(seconds, self._reconnect)

    def _reconnect(self) -> None:
        if self.alive:
            self.watches.list_anew()
            if self.controller is not None:
                self._begin(self._resync(self.controller))

    async def _resync(self, controller: Controller) -> None:
        while True:
            try:
                return await controller.resync()
            except ClusterError:
                await self.sleep(5)

    async def look_at_all(self) -> None:
        """What the ten-minute resync does."""
        assert self.controller is not None
        await self._resync(self.controller)

    @property
    def is_leading(self) -> bool:
        return self.alive and self.controller is not None

    @property
    def is_frozen(self) -> bool:
        return not self._thawed.is_set()

    # What comes in

    def _on_event(self, event: str | None, manifest: Manifest) -> None:
        if not self.alive:
            return
        if self.is_frozen:
            self._begin(self._hear_later(event, manifest))
        elif self.controller is not None:
            self.controller.on_event(event, manifest)
        else:
            self.store.apply_event(event, manifest)

    async def _hear_later(self, event: str | None, manifest: Manifest) -> None:
        await self._resume()
        self._on_event(event, manifest)

    def hear_report(self, report: Mapping[str, Any], reporter: Reporter) -> "asyncio.Task[dict[str, Any]]":
        """The progress endpoint; what it does goes on, or dies, with this process and not with the caller."""
        asked = self._begin(self._answer_report(report, reporter))
        asked.add_done_callback(lambda task: task.cancelled() or task.exception())  # its caller may have hung up
        return asked

    async def _answer_report(self, report: Mapping[str, Any], reporter: Reporter) -> dict[str, Any]:
        await self._resume()
        assert self.controller is not None, "reports go to the holder of the Lease"
        answer = await self.controller.on_report(report, reporter)
        await self._resume()
        return answer
