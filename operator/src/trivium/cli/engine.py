"""The embedded cluster at work: API server, controller, runner and progress endpoint on one event loop."""

import asyncio
import contextlib
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from trivium.api import JOB_KINDS
from trivium.cli.ordering import open_store
from trivium.controller import Controller, Reporter, ReportError, SystemClock
from trivium.domain.situation import Limits
from trivium.local.attempt import AttemptContext
from trivium.local.cluster import LocalCluster
from trivium.local.intake import Intake, ReportRefusedError, Sender, Tokens
from trivium.local.machine import this_machine
from trivium.local.object_store import Object, ObjectStore
from trivium.local.orders import Orders
from trivium.local.ray_objects import is_terminal
from trivium.local.requests import answer_orders, clear_answers
from trivium.local.runner import Runner
from trivium.local.state_folder import StateFolder
from trivium.reconcile import Settings
from trivium.store import Store

_ORDER_POLL_SECONDS = 0.2
_SETTLE_SECONDS = 10.0
# A trainer that is asked to go saves a checkpoint first: seconds for a model that trains on a laptop.
_INTERRUPTION_GRACE_SECONDS = 20.0
# One job's status is one small file here; a person watches it.
_PROGRESS_INTERVAL = timedelta(seconds=1)


class Engine:
    """Needs the lock of its state folder from before its construction until after `stop`."""

    def __init__(self, folder: StateFolder) -> None:
        self._folder = folder
        self.store: ObjectStore = open_store(folder)
        self.orders = Orders(self.store, folder, this_machine())
        tokens = Tokens()
        self._intake = Intake(tokens, self._on_report)
        self._runner = Runner(
            AttemptContext(
                store=self.store,
                state=folder,
                machine=this_machine(),
                tokens=tokens,
                clock=lambda: datetime.now(UTC),
            )
        )
        self._controller: Controller | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def jobs(self) -> list[Object]:
        """Every job, as it is now."""
        return [job for kind in JOB_KINDS for job in self.store.list_all(kind)]

    async def start(self) -> None:
        """Say what was lost, listen, and go to work."""
        self._runner.report_lost()
        self._runner.sweep_folders(_attempt_names(self.jobs()))
        clear_answers(self._folder)
        await self._intake.start()
        settings = Settings(
            listening_since=datetime.now(UTC),
            progress_url=self._intake.url,
            limits=Limits(progress_interval=_PROGRESS_INTERVAL),
        )
        cluster = LocalCluster(self.store, events=self._folder.events)
        controller = self._controller = Controller(Store(), cluster, settings, SystemClock())
        self.store.watch(lambda change: controller.on_event(change.type, change.manifest))
        self._tasks = [
            asyncio.create_task(controller.run(), name="controller"),
            asyncio.create_task(self._runner.run(), name="runner"),
            asyncio.create_task(self._answer_orders(), name="orders"),
        ]

    def check(self) -> None:
        """Raise what ended a part of the engine; none of them ends by itself."""
        for task in self._tasks:
            if task.done() and not task.cancelled():
                task.result()
                raise RuntimeError(f"the {task.get_name()} of the embedded cluster ended")

    async def settle(self) -> None:
        """Give drivers that are done the moment they need to leave in order."""
        deadline = time.monotonic() + _SETTLE_SECONDS
        while time.monotonic() < deadline:
            if all(is_terminal(job.get("status", {})) for job in self.store.list_all("RayJob")):
                return
            await asyncio.sleep(_ORDER_POLL_SECONDS)

    async def stop(self) -> None:
        """End every process of every attempt; what is recorded is found again by the next run."""
        if self._controller is not None:
            await self._controller.stop()
        for task in self._tasks[1:]:  # the controller, which is the first, ends by itself
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._runner.stop(grace_seconds=_INTERRUPTION_GRACE_SECONDS)
        await self._intake.stop()

    def hurry(self) -> None:
        """Let a `stop` under way wait for no checkpoint."""
        self._runner.hurry()

    async def _answer_orders(self) -> None:
        while True:
            answer_orders(self._folder, self.orders)
            await asyncio.sleep(_ORDER_POLL_SECONDS)

    async def _on_report(self, sender: Sender, report: Mapping[str, Any]) -> dict[str, Any]:
        assert self._controller is not None, "the endpoint opens before the first attempt starts"
        try:
            reporter = Reporter(job_uid=sender.job_uid, ray_cluster=sender.ray_cluster)
            return await self._controller.on_report(report, reporter)
        except ReportError as error:
            raise ReportRefusedError(error.status, str(error)) from error


def _attempt_names(jobs: list[Object]) -> set[str]:
    """`<namespace>/<rayjob>` of every attempt whose log a job can still show."""
    return {
        f"{job['metadata']['namespace']}/{attempt['rayJob']}"
        for job in jobs
        for attempt in (job.get("status") or {}).get("attempts") or []
    }
