"""KubeRay's part on this machine: starts what RayJobs ask for, as far as the cores reach, and ends what is deleted."""

import asyncio
import contextlib
import shutil
from collections.abc import Iterable
from typing import Any

from trivium.local import ray_objects
from trivium.local.attempt import Attempt, AttemptContext, ensure_pod, remove_ray_folder, update_status
from trivium.local.object_store import Change, key_of
from trivium.ports import Manifest

_KIND = "RayJob"


class Runner:
    """Executes every RayJob of the store, oldest first; `run` until cancelled, then `stop`."""

    def __init__(self, context: AttemptContext) -> None:
        self._context = context
        self._attempts: dict[str, tuple[Attempt, int, asyncio.Task[None]]] = {}
        self._wake = asyncio.Event()
        context.store.watch(self._on_change)

    def report_lost(self) -> None:
        """Say that every attempt which the last process left alive is gone. Call before anything else."""
        store, now = self._context.store, self._context.clock()
        for rayjob in store.list_all(_KIND):
            status = rayjob.get("status", {})
            remove_ray_folder(self._context.state.attempt(rayjob["metadata"]["namespace"], rayjob["metadata"]["name"]))
            if not ray_objects.is_terminal(status):
                pod = ensure_pod(store, rayjob, status.get("rayClusterName") or f"{rayjob['metadata']['name']}-local")
                # The evidence first: whoever sees the RayJob end must find why.
                update_status(store, pod, lambda before: ray_objects.pod_lost(before, at=now))
                update_status(store, key_of(rayjob), lambda before: ray_objects.lost(before, at=now))

    def sweep_folders(self, kept: Iterable[str]) -> None:
        """Remove the folders of attempts that no RayJob and no name in `kept` (`<namespace>/<rayjob>`) stands for."""
        live = {
            f"{job['metadata']['namespace']}/{job['metadata']['name']}" for job in self._context.store.list_all(_KIND)
        }
        for folder in self._context.state.root.glob("attempts/*/*"):
            if f"{folder.parent.name}/{folder.name}" not in live.union(kept):
                shutil.rmtree(folder, ignore_errors=True)

    async def run(self) -> None:
        """Start and end attempts as the store says."""
        while True:
            self._wake.clear()
            self._end_deleted()
            self._start_waiting()
            await self._wake.wait()

    async def stop(self, *, grace_seconds: float) -> None:
        """End every attempt; returns when no process of them is left. The store still says that they run."""
        for attempt, _, task in self._attempts.values():
            attempt.grace_seconds = grace_seconds
            _cancel_once(task)
        await asyncio.gather(*(task for _, _, task in self._attempts.values()), return_exceptions=True)

    def hurry(self) -> None:
        """Let a `stop` under way wait no longer."""
        for attempt, _, _ in self._attempts.values():
            attempt.hurry()

    def _on_change(self, change: Change) -> None:
        if change.manifest["kind"] == _KIND:
            self._wake.set()

    def _end_deleted(self) -> None:
        live = {rayjob["metadata"]["uid"] for rayjob in self._context.store.list_all(_KIND)}
        for uid, (_, _, task) in self._attempts.items():
            if uid not in live:
                _cancel_once(task)

    def _start_waiting(self) -> None:
        """First come, first served: a later, smaller attempt does not pass an earlier one that waits for cores."""
        free = self._context.machine.cores - sum(cores for _, cores, _ in self._attempts.values())
        busy_jobs = {attempt.job_uid for attempt, _, _ in self._attempts.values()}
        for rayjob in sorted(self._context.store.list_all(_KIND), key=_age):
            if rayjob["metadata"]["uid"] in self._attempts or ray_objects.is_terminal(rayjob.get("status", {})):
                continue
            attempt = Attempt(self._context, rayjob)
            if attempt.job_uid in busy_jobs:
                continue  # its predecessor is still dying: two attempts would write one run directory
            cores = min(cores_of(rayjob), self._context.machine.cores)
            if cores > free:
                return
            free -= cores
            busy_jobs.add(attempt.job_uid)
            self._start(attempt, rayjob["metadata"]["uid"], cores)

    def _start(self, attempt: Attempt, uid: str, cores: int) -> None:
        task = asyncio.create_task(attempt.run(), name=f"attempt {uid}")
        self._attempts[uid] = (attempt, cores, task)
        task.add_done_callback(lambda done: self._ended(uid, done))

    def _ended(self, uid: str, task: asyncio.Task[None]) -> None:
        attempt, _, _ = self._attempts.pop(uid)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._report_broken(uid, f"{attempt.folder}: the attempt could not be run: {error}")
        self._wake.set()

    def _report_broken(self, uid: str, message: str) -> None:
        """The machine refused (disk full, no more processes): the job's next attempt decides whether it lasts."""
        now = self._context.clock()
        for rayjob in self._context.store.list_all(_KIND):
            if rayjob["metadata"]["uid"] == uid and not ray_objects.is_terminal(rayjob.get("status", {})):
                update_status(
                    self._context.store,
                    key_of(rayjob),
                    lambda before: ray_objects.not_started(before, message=message, at=now),
                )


def _cancel_once(task: asyncio.Task[None]) -> None:
    """A second cancellation would cut short the ending of the driver that the first one began."""
    if not task.cancelling():
        task.cancel()


def cores_of(rayjob: Manifest) -> int:
    """Cores that an attempt is worth: its workers' CPUs, at least one. The head only waits for them."""
    spec = rayjob["spec"]["rayClusterSpec"]
    groups: Iterable[dict[str, Any]] = spec.get("workerGroupSpecs", [])
    total = sum(int(group.get("replicas", 0)) * _cpus(group["template"]) for group in groups)
    return max(1, round(total))


def _cpus(template: Manifest) -> float:
    resources = template["spec"]["containers"][0].get("resources", {})
    quantity = {**resources.get("limits", {}), **resources.get("requests", {})}.get("cpu", "1")
    text = str(quantity)
    return float(text[:-1]) / 1000 if text.endswith("m") else float(text)


def _age(rayjob: Manifest) -> tuple[str, int]:
    metadata = rayjob["metadata"]
    with contextlib.suppress(ValueError):
        return metadata["creationTimestamp"], int(metadata["resourceVersion"])
    return metadata["creationTimestamp"], 0
