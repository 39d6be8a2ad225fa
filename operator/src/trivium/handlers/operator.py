"""The operator, composed: one process of two replicas, of which the holder of the Lease acts.

start ─> watch, fill the store ─> take the Lease ─> list anew, take reports, reconcile ─> SIGTERM: finish, release
                (standby: warm)                                                       └─> Lease lost: end at once
"""

import asyncio
import contextlib
import logging
import os
import signal
import time
from datetime import UTC, datetime

from trivium.controller import Controller, SystemClock
from trivium.handlers.intake import ProgressEndpoint
from trivium.handlers.logs import LogContext
from trivium.handlers.metrics import MetricsServer, OperatorMetrics, read_jobs
from trivium.handlers.observers import Observers, last_attempt_of
from trivium.handlers.probes import STALE_SECONDS, Health, Probes
from trivium.handlers.profiles_file import read_profiles
from trivium.handlers.settings import OperatorSettings
from trivium.handlers.watch import Watcher
from trivium.kube.client import Connection, open_connection
from trivium.kube.cluster import KubeCluster
from trivium.kube.endpoint_slice import EndpointPublisher
from trivium.kube.lease_store import KubeLeaseStore
from trivium.leader import Elector, FencedCluster
from trivium.ports import ClusterError
from trivium.reconcile import Settings
from trivium.store import Store

EXIT_LEASE_LOST = 3
EXIT_WATCH_ENDED = 4
_PUBLISH_PAUSE = 2.0
"""Seconds between two tries to lead the progress Service here."""
_RELIST_PAUSE = 5.0
"""Seconds from Kopf's first word of a new list to our own: it lists several kinds in turn."""

_log = logging.getLogger(__name__)


class ProcessTime:
    """Time of this process (ports.LocalTime)."""

    def monotonic(self) -> float:
        # Goes on while the machine sleeps, unlike CLOCK_MONOTONIC: a frozen holder must not think that it holds.
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def utc(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Operator:
    """One replica; `run` until a signal, the loss of the Lease, or the end of the watches. Returns the exit code."""

    def __init__(
        self,
        settings: OperatorSettings,
        *,
        connection: Connection,
        lease_connection: Connection,
        intake_connection: Connection,
    ) -> None:
        """Raises CertificateError where reports are to be taken and cannot, ProfilesFileError."""
        self._settings = settings
        store = Store()
        self._metrics = OperatorMetrics(lambda: read_jobs(store))
        for one in (connection, lease_connection, intake_connection):
            one.on_request = self._metrics.on_api_request
        leases = KubeLeaseStore(lease_connection, namespace=settings.namespace, name=settings.lease_name)
        self._elector = Elector(leases=leases, time=ProcessTime(), me=settings.identity)
        profiles = None if settings.profiles_file is None else read_profiles(settings.profiles_file)
        cluster = KubeCluster(connection, namespaces=settings.namespaces, instance=settings.identity, profiles=profiles)
        self._controller = Controller(
            store,
            FencedCluster(cluster, self._elector),
            Settings(listening_since=datetime.now(UTC), progress_url=settings.progress_url),
            SystemClock(),
            num_workers=settings.num_workers,
            observer=Observers(LogContext(lambda key: last_attempt_of(store, key)), self._metrics),
        )
        self._watcher = Watcher(
            settings,
            connection,
            on_event=self._controller.on_event,
            on_relist=self._list_soon,
            on_end=lambda: self._end(EXIT_WATCH_ENDED),
        )
        self._metrics.watch_last_event(lambda: time.time() - (time.monotonic() - self._watcher.last_event))
        self._publisher = EndpointPublisher(connection, namespace=settings.namespace, service=settings.progress_service)
        self._endpoint: ProgressEndpoint | None = None
        if settings.progress_url is not None and settings.tls_folder is not None:
            self._endpoint = ProgressEndpoint(
                self._controller,
                intake_connection,
                tls_folder=settings.tls_folder,
                port=settings.intake_port,
                is_acting=lambda: self._acting and self._controller.has_listed(),
                on_expiry=self._metrics.set_certificate_expiry,
            )
        self._metrics_server = MetricsServer(self._metrics, port=settings.metrics_port)
        self._probes = Probes(port=settings.probe_port, alive=self._alive, ready=self._ready)
        self._ending = asyncio.Event()
        self._exit_code = 0
        self._acting = False
        self._relist: asyncio.TimerHandle | None = None
        self._lists: set[asyncio.Task[None]] = set()

    async def run(self) -> int:
        """See the class. Raises ClusterError if the first contact fails."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._end, 0)
        await self._probes.start()
        await self._metrics_server.start()
        if self._endpoint is not None:
            await self._endpoint.start()  # before the first pass, which hands out its authorities
        self._watcher.start()
        acting = asyncio.create_task(self._act(), name="act")
        ending = asyncio.create_task(self._ending.wait(), name="ending")
        done, _ = await asyncio.wait({acting, ending}, return_when=asyncio.FIRST_COMPLETED)
        if acting in done and acting.exception() is not None:
            _log.error("the operator ends", exc_info=acting.exception())
            self._exit_code = 1
        await self._finish(acting)
        return self._exit_code

    async def _act(self) -> None:
        """Wait for the Lease, then reconcile for as long as it is held."""
        await self._elector.acquire()
        self._acting = True
        self._metrics.set_leader(True)
        keeping = asyncio.create_task(self._elector.keep(), name="keep the Lease")
        working = asyncio.create_task(self._controller.run(), name="reconcile")
        leading = asyncio.create_task(self._lead_reports_here(), name="lead reports here")
        try:
            await asyncio.wait({keeping, working}, return_when=asyncio.FIRST_COMPLETED)
            if keeping.done() and not self._ending.is_set():
                # Nothing of ours is written any more (FencedCluster); what runs now has nobody to work for.
                logging.shutdown()
                os._exit(EXIT_LEASE_LOST)
        finally:
            leading.cancel()
            if self._endpoint is not None:
                await self._endpoint.stop()
            await self._controller.stop()
            await asyncio.gather(working, leading, return_exceptions=True)
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
            await self._elector.release()

    async def _lead_reports_here(self) -> None:
        """Until it is written: a Service that leads to the last holder takes no report."""
        endpoint, address = self._endpoint, self._settings.pod_ip
        while endpoint is not None and address is not None:
            try:
                await self._publisher.publish(address, endpoint.port)
            except ClusterError as error:
                _log.warning("the progress Service does not lead here yet: %s", error)
                await asyncio.sleep(_PUBLISH_PAUSE)
            else:
                return

    async def _finish(self, acting: asyncio.Task[None]) -> None:
        """Passes under way end, the Lease is released, the watches end."""
        acting.cancel()
        await asyncio.gather(acting, return_exceptions=True)
        if self._endpoint is not None:
            await self._endpoint.stop()
        await self._watcher.stop()
        await self._metrics_server.stop()
        await self._probes.stop()

    def _end(self, code: int) -> None:
        self._exit_code = self._exit_code or code
        self._ending.set()

    def _list_soon(self) -> None:
        if self._relist is None:
            self._relist = asyncio.get_running_loop().call_later(_RELIST_PAUSE, self._list_now)

    def _list_now(self) -> None:
        self._relist = None
        task = asyncio.create_task(self._list(), name="list anew")
        self._lists.add(task)
        task.add_done_callback(self._lists.discard)

    async def _list(self) -> None:
        with contextlib.suppress(ClusterError):  # the next regular list is minutes away at most
            await self._controller.resync()

    def _alive(self) -> Health:
        age = time.monotonic() - self._watcher.last_event
        if age > STALE_SECONDS:
            return Health(problem=f"no watch event in {age:.0f} s; the Lease alone changes every two")
        longest = self._controller.longest_pass().total_seconds()
        if longest > STALE_SECONDS:
            return Health(problem=f"a pass has been under way for {longest:.0f} s")
        return Health()

    def _ready(self) -> Health:
        if self._acting and not self._controller.has_listed():
            return Health(problem="the first full list is under way")
        return self._alive()


async def run_operator(settings: OperatorSettings) -> int:
    """Connect and run; the exit code. Raises ClusterError, CertificateError, ProfilesFileError."""
    async with (
        open_connection(settings.kubeconfig) as connection,
        open_connection(settings.kubeconfig) as lease_connection,
        open_connection(settings.kubeconfig) as intake_connection,
    ):
        operator = Operator(
            settings, connection=connection, lease_connection=lease_connection, intake_connection=intake_connection
        )
        return await operator.run()
