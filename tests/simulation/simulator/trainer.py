"""The trainer inside one Ray cluster: steps, checkpoints, restarts, reports, and every way to fail.

    start ─> restore ─> step, step, save, step ... ─> write the output ─> final report ─> exit
      ^         │ a rank dies: again from the newest checkpoint, while the budget of the first answer lasts
      └─────────┘ a rank names its failure: the attempt ends with it

It reads the RunConfig that render wrote, obeys the answers to its reports, and leaves everything else on the disk.
"""

import asyncio
import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simulator.disk import RunDirectory
from simulator.endings import Ending, StopAsked, Trouble, ending_of, failure_of
from simulator.manifests import INSPECTION
from simulator.nodes import Pod
from simulator.voice import SEQUENCE_BLOCK, Voice
from trivium.ports import Manifest
from trivium.store import controller_uid

if TYPE_CHECKING:
    from simulator.kuberay import Run
    from simulator.world import World

_PREPARE_SECONDS = 12.0
_OUTPUT_SECONDS = 3.0
UNCOUNTED = "Preempted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long things take. Units: seconds."""

    step: float = 4.0
    save: float = 2.0
    restore: float = 6.0
    start: float = 4.0
    report: float = 20.0


class Driver:
    """One driver process with its ranks. Killed with its head; its ranks die with their pods."""

    def __init__(self, world: "World", ray_job: Manifest, run: "Run", *, on_exit: Callable[[], None]) -> None:
        self._world, self._loop, self._run, self._on_exit = world, world.loop, run, on_exit
        self._config = _read_config(world, ray_job)
        self.job_uid = str(controller_uid(ray_job))
        self.stage: str = self._config["stage"]
        self.directory: RunDirectory = world.disk.open(self.job_uid, self.stage)
        self._pace: Pace = world.pace
        self.ending: Ending | None = None
        self.is_lost = False
        self.activity, self.step, self.restarts, self.preemptions = "start", 0, 0, 0
        self._goal, self._moving_since = 0, None
        self._budget: int | None = None
        self._earlier_restarts = self.directory.restarts_inside
        self._sequence = 0
        self._trouble: Trouble | None = None
        self._stop_asked = False
        self._news = asyncio.Event()
        self._workers_there = asyncio.Event()
        self._workers_there.set()
        self._deaf = False
        self._task = world.loop.create_task(self._work())
        self._voice = Voice(world, self.job_uid, run.cluster, report=self._report, obey=self._obey)
        self._speaking = world.loop.create_task(self._voice.speak())

    @property
    def is_alive(self) -> bool:
        return self.ending is None and not self.is_lost

    # What is done to it

    def kill(self) -> None:
        """The head is gone, or Ray stops the job: no word, no save."""
        if self.ending is None:
            self.is_lost = True
        self._task.cancel()
        self._speaking.cancel()

    def strike(self, trouble: Trouble) -> None:
        """Something happens to a rank."""
        self._trouble = trouble
        self._news.set()

    def lose_worker(self, pod: Pod) -> None:
        if self.stage == "prepare" and self.ending is not None:
            return
        self._workers_there.clear()
        evidence = (self._world.server.get(pod.key) or {}).get("status") or {}
        taken = any(c.get("reason") == "PreemptionByScheduler" for c in evidence.get("conditions") or ())
        self.strike(Trouble("Preempted" if taken else "Infrastructure", "WorkerDied", named=False))

    def find_workers(self) -> None:
        self._workers_there.set()

    def stop_job(self) -> None:
        """Somebody stops the Ray job from outside."""
        self.kill()
        self._exit(Ending(job_status="STOPPED", message="Job was stopped."))

    def hang(self, *, watchdog: bool, mute: bool) -> None:
        """Training stands still; the watchdog notices, or hangs as well; the reports go on, or do not."""
        self._voice.mute = mute
        self._deaf = not watchdog
        self.strike(Trouble("Hang", "NoStep", named=True, details={"hang": True}))

    # Its life

    async def _work(self) -> None:
        record = await self._train_or_prepare()
        self.activity = "finish"
        self._speaking.cancel()
        said = {"inspection": INSPECTION} if self.stage == "prepare" and record["outcome"] == "complete" else {}
        await self._voice.deliver(record, **said)
        self._exit(ending_of(record, falsely_failed=self._run.ray_job in self._world.falsely_failed))

    def _exit(self, ending: Ending) -> None:
        if self.ending is None:
            self.ending = ending
            self.is_lost = False
            self._on_exit()

    async def _train_or_prepare(self) -> dict[str, Any]:
        if self.directory.digest is None:
            try:
                await self._pause(self._pace.start)
                await (self._prepare() if self.stage == "prepare" else self._train())
                await self._pause(_OUTPUT_SECONDS)
            except StopAsked:
                return self._record("stopped")
            except Trouble as trouble:
                return self._record("failed", failure=failure_of(trouble))
            self.directory.digest = f"sha256:{self.job_uid}-{self.stage}"
        return self._record("complete", outputDigest=self.directory.digest)

    async def _prepare(self) -> None:
        self.activity = "prepare"
        while True:
            try:
                return await self._pause(_PREPARE_SECONDS)
            except Trouble as trouble:
                await self._restart(trouble)

    async def _train(self) -> None:
        while True:
            try:
                return await self._run_steps()
            except Trouble as trouble:
                await self._restart(trouble)

    async def _restart(self, trouble: Trouble) -> None:
        """Ray Train's layer: the same cluster, from the newest checkpoint, within the budget. Else raises."""
        counted = trouble.failure_class != UNCOUNTED
        self.restarts += 1
        self.preemptions += not counted
        if trouble.named or (counted and not self._budget):
            raise trouble
        if counted:
            self._budget = (self._budget or 0) - 1
            self.directory.restarts_inside += 1
            self._world.checks.on_restart_inside(self)
        self.activity = "start"
        try:
            async with asyncio.timeout(self._worker_patience()):
                await self._workers_there.wait()
        except TimeoutError:
            raise Trouble("Infrastructure", "WorkersMissing", named=True) from trouble

    async def _run_steps(self) -> None:
        config, directory = self._config, self.directory
        total, every = config["optimization"]["totalSteps"], self._every(config)
        skips = config.get("skips") or []
        self.activity = "restore"
        await self._pause(self._pace.restore)
        self.step = directory.newest(skips)
        self._world.checks.on_resume(self, at=self.step, every=every, rolled_back=bool(skips))
        self.activity = "step"
        while self.step < total:
            target = min(total, self.step - self.step % every + every)
            await self._steps_to(target, skips=skips)
            if self.step < total:
                await self._save(skips)
        self._world.checks.on_trained(self)

    def _every(self, config: dict[str, Any]) -> int:
        return int((config.get("checkpoints") or {}).get("everySteps") or self._world.checkpoint_every)

    async def _steps_to(self, target: int, *, skips: list[dict[str, Any]]) -> None:
        """Steps until `target`, or until something happens; whole steps count."""
        first = self.step
        bad = next((s for s in range(first + 1, target + 1) if data_step(s, skips) in self._world.bad_data), None)
        self._goal, self._moving_since = (target if bad is None else bad), self._loop.time()
        try:
            await self._pause((self._goal - first) * self._pace.step)
            self._moving_since -= self._pace.step / 2  # sums of floats: the last step is over
        finally:
            self.step, self._moving_since = self._current_step(), None
            self.directory.train_seconds += (self.step - first) * self._pace.step
            self.directory.furthest = max(self.directory.furthest, self.step)
        if bad is not None:
            place = {"step": bad, "dataStep": data_step(bad, skips)}
            raise Trouble("Diverged", "NotANumber", named=True, details=place)

    async def _save(self, skips: list[dict[str, Any]]) -> None:
        """Takes its time, and counts only when the marker is there."""
        self.activity = "save"
        await self._pause(self._pace.save)
        keep = int((self._config.get("checkpoints") or {}).get("keep") or 3)
        self.directory.save(self.step, keep=keep, skips=skips)
        self.activity = "step"

    async def _pause(self, seconds: float) -> None:
        """Time passes, unless a rank is struck or a stop is asked for."""
        if not self._news.is_set():
            with contextlib.suppress(TimeoutError):  # nothing happened: the pause is over
                async with asyncio.timeout(seconds):
                    await self._news.wait()
        if not self._news.is_set():
            return
        self._news.clear()
        trouble, self._trouble = self._trouble, None
        if trouble is not None:
            if trouble.details.get("hang"):
                await self._stand_still()
            raise trouble
        if self._stop_asked:
            if self.activity in ("step", "save") and self.step:
                await self._save(self._config.get("skips") or [])
            raise StopAsked

    async def _stand_still(self) -> None:
        timeout = self._config["recovery"]["hangTimeoutSeconds"]
        if self._deaf:
            await asyncio.Event().wait()
        await asyncio.sleep(timeout)

    def _worker_patience(self) -> float:
        seconds = (self._config.get("parallelism") or {}).get("workerStartTimeoutSeconds")
        return float(seconds or 600)

    # Its voice

    def _obey(self, answer: dict[str, Any]) -> None:
        if self._budget is None:
            self._budget = answer["remainingRestarts"]
        if answer["command"] == "checkpointAndStop" and not self._stop_asked:
            self._stop_asked = True
            self._news.set()

    def _current_step(self) -> int:
        if self._moving_since is None:
            return self.step
        return min(self._goal, self.step + int((self._loop.time() - self._moving_since) / self._pace.step))

    def _report(self, **fields: Any) -> dict[str, Any]:
        step, newest = self._current_step(), self.directory.newest(self._config.get("skips") or [])
        self._sequence += 1
        report = {
            "apiVersion": "progress.trivium.dev/v1alpha1",
            "jobUid": self.job_uid,
            "stage": self.stage,
            "sequence": self.restarts * SEQUENCE_BLOCK + self._sequence - 1,
            "activity": "start" if self.activity == "restore" else self.activity,
            "step": step,
            "totalSteps": (self._config.get("optimization") or {}).get("totalSteps", 0),
            "tokens": step * 1000,
            "tokensPerSecond": 1000 / self._pace.step,
            "restarts": self.restarts,
            "preemptions": self.preemptions,
            "earlierRestarts": self._earlier_restarts,
            "checkpoints": sorted(self.directory.checkpoints),
            **fields,
        }
        if newest:
            report["checkpoint"] = {"step": newest, "path": f"{self.stage}/checkpoints/step-{newest:08d}"}
        return report

    def _record(self, outcome: str, **fields: Any) -> dict[str, Any]:
        counts = {"restarts": self.restarts, "preemptions": self.preemptions, "earlierRestarts": self._earlier_restarts}
        return {"outcome": outcome, "stage": self.stage, "step": self.step, **counts, **fields}


def data_step(step: int, skips: list[dict[str, Any]]) -> int:
    """The data step of an optimizer step: the s-th one that no window holds."""
    data = step
    for skip in sorted(skips, key=lambda one: one["dataStep"]):
        if data >= skip["dataStep"]:
            data += skip["steps"]
    return data


def _read_config(world: "World", ray_job: Manifest) -> dict[str, Any]:
    """What render told this run; its pods could not start without it, and hold it until they end."""
    (text,) = world.mounted[ray_job["metadata"]["name"]]["data"].values()
    return dict(json.loads(text))
