"""The engine's first moments: nothing is decided before the world was seen whole."""

import asyncio
from datetime import UTC, datetime

from trivium.controller import Controller
from trivium.ports import TransientError
from trivium.reconcile import Settings
from trivium.store import Store

NOW = datetime(2026, 1, 1, tzinfo=UTC)
JOB = {
    "apiVersion": "trivium.dev/v1alpha1",
    "kind": "SFTJob",
    "metadata": {"name": "a", "namespace": "team", "uid": "u", "resourceVersion": "1"},
    "spec": {"model": {"from": {"hub": {"repo": "r"}}}, "data": {"train": [{"from": {"hub": {"repo": "d"}}}]}},
}


class Clock:
    """Waits end when their event is set, or at once if they wait for a time; time stands still."""

    def now(self):
        return NOW

    async def wait(self, event, *, until):
        if until is None:
            await event.wait()
        await asyncio.sleep(0)


class Cluster:
    """Lists fail until they may succeed; writes are noted."""

    def __init__(self):
        self.may_list = False
        self.writes = []

    async def list_all(self, kind):
        await asyncio.sleep(0)
        if not self.may_list:
            raise TransientError("503")
        return [JOB] if kind == JOB["kind"] else []

    async def replace_status(self, manifest):
        self.writes.append(manifest["metadata"]["name"])
        return {**manifest, "metadata": {**manifest["metadata"], "resourceVersion": "2"}}

    async def emit(self, event):
        """Events are of no interest here."""


async def test_no_pass_runs_before_the_first_list_is_complete():
    cluster = Cluster()
    controller = Controller(Store(), cluster, Settings(listening_since=NOW), Clock(), num_workers=1)
    controller.on_event("ADDED", JOB)
    running = asyncio.ensure_future(controller.run())
    for _ in range(200):
        await asyncio.sleep(0)
    assert cluster.writes == []
    cluster.may_list = True
    for _ in range(200):
        await asyncio.sleep(0)
    assert cluster.writes == ["a"]
    await controller.stop()
    await running
