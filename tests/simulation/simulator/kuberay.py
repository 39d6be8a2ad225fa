"""KubeRay 1.6 and 1.7: the RayJob's state machine with its dead ends, its silences and its odd endings.

    "" ─> Initializing ─> Running ─> Complete | Failed          any ─(refused)─> ValidationFailed, for good
             └──(suspend)──┴──> Suspending ─> Suspended ─(suspend: false)─> ""

Each RayJob is looked at when something of it changes. While KubeRay is down nothing is: no pods, no status, and no
finalizer is removed. Source: facts that were read in KubeRay's code at 1.6.0 and 1.7.0.
"""

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from simulator.loop import rfc3339, wall_clock
from simulator.nodes import Pod
from simulator.trainer import Driver
from trivium.ports import Manifest, ObjectKey
from trivium.store import key_of, uid_of

if TYPE_CHECKING:
    from simulator.world import World

FINALIZER = "ray.io/rayjob-finalizer"
STATUS_CHECK_SECONDS = 300.0  # 1.7: dashboard unreachable for this long = Failed
SUBMITTER_GRACE_SECONDS = 300.0  # a Ray job is over and its submitter is not
SUBMITTER_PAUSES = (10.0, 20.0)  # the submitter Job's back-off; backoffLimit 2
_REQUEUE_SECONDS = 3.0


@dataclass(kw_only=True, eq=False)
class Run:
    """One Ray cluster of one RayJob: what KubeRay, the pods and the driver are doing."""

    ray_job: str
    cluster: str
    number: int
    head: Pod | None = None
    workers: list[Pod] = field(default_factory=list)
    driver: Driver | None = None
    submitted_at: float | None = None
    submitter_retries: int = 0
    submitter_lost: bool = False
    dark_since: float | None = None
    """Since when the dashboard does not answer."""
    over_at: float | None = None

    def pods(self) -> list[Pod]:
        return [pod for pod in (self.head, *self.workers) if pod is not None]


class KubeRay:
    """The controller. `changed` events wake the coroutine of one RayJob."""

    def __init__(self, world: "World", *, version: str) -> None:
        self._world, self._server, self._loop = world, world.server, world.loop
        self.version = version
        self.down_until = 0.0
        self.refuses_next = False
        """The next RayJob that is seen fails KubeRay's validation."""
        self._runs: dict[str, Run] = {}
        self._changed: dict[str, asyncio.Event] = {}
        self._numbers: dict[str, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        world.server.listeners.append(self._hear)

    def run_of(self, ray_job_uid: str) -> Run | None:
        return self._runs.get(ray_job_uid)

    def poke(self, ray_job_uid: str) -> None:
        if ray_job_uid in self._changed:
            self._changed[ray_job_uid].set()

    def show(self, key: ObjectKey, **status: Any) -> None:
        """Write parts of a RayJob's status; None removes one."""
        live = self._server.get(key)
        if live is not None:
            merged = {k: v for k, v in ((live.get("status") or {}) | status).items() if v is not None}
            self._server.update(key, status=merged)

    def _hear(self, event: str, manifest: Manifest) -> None:
        if manifest["kind"] == "RayCluster" and event == "DELETED":
            for uid, run in self._runs.items():
                if run.cluster == manifest["metadata"]["name"]:
                    self.poke(uid)
        if manifest["kind"] != "RayJob":
            return
        uid = uid_of(manifest)
        if event == "ADDED":
            self._changed[uid] = asyncio.Event()
            task = self._loop.create_task(self._manage(key_of(manifest), uid))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            self.poke(uid)

    async def _manage(self, key: ObjectKey, uid: str) -> None:
        changed = self._changed[uid]
        while True:
            await asyncio.sleep(self._world.random.uniform(0.05, 1.0))
            if self._loop.time() < self.down_until:
                await asyncio.sleep(self.down_until - self._loop.time())
            changed.clear()
            live = self._server.get(key)
            if live is None or uid_of(live) != uid:
                break
            look_again = self._look(live)
            try:
                async with asyncio.timeout(look_again):
                    await changed.wait()
            except TimeoutError:
                continue  # time to look again, as its requeue does
        self._tear_down(self._runs.pop(uid, None))
        del self._changed[uid]

    def _look(self, live: Manifest) -> float | None:
        """One reconcile. Returns the seconds until the next if nothing changes before."""
        key, uid, metadata = key_of(live), uid_of(live), live["metadata"]
        status = live.get("status") or {}
        state = status.get("jobDeploymentStatus", "")
        if metadata.get("deletionTimestamp"):
            self._tear_down(self._runs.pop(uid, None))
            self._server.mark(key, finalizers=None)
            return None
        if not metadata.get("finalizers"):
            live = self._server.mark(key, finalizers=[FINALIZER])
        run = self._runs.get(uid)
        if run is None and state in ("Initializing", "Running"):
            return None
        match state:
            case "":
                return self._initialize(live)
            case "Initializing" | "Running" if live["spec"].get("suspend"):
                self.show(key, jobDeploymentStatus="Suspending")
                return _REQUEUE_SECONDS
            case "Initializing":
                assert run is not None
                return self._await_pods(live, run)
            case "Running":
                assert run is not None
                return self._await_end(live, run)
            case "Suspending":
                return self._suspend(key, uid)
            case "Suspended" if not live["spec"].get("suspend"):
                self._server.update(key, status={})
                return _REQUEUE_SECONDS
            case "Complete" | "Failed":
                return self._expire(live)
        return None

    def _initialize(self, live: Manifest) -> float | None:
        key, uid = key_of(live), uid_of(live)
        if self.refuses_next:
            self.refuses_next = False
            self.show(key, jobDeploymentStatus="ValidationFailed", message="the RayJob's spec is invalid")
            return None
        number = self._numbers[uid] = self._numbers.get(uid, 0) + 1
        cluster = f"{key.name}-{number:05d}"
        self._runs[uid] = Run(ray_job=uid, cluster=cluster, number=number)
        now = rfc3339(wall_clock(self._loop))
        self.show(
            key, jobDeploymentStatus="Initializing", jobStatus="", rayClusterName=cluster, jobId=cluster, startTime=now
        )
        return _REQUEUE_SECONDS

    def _await_pods(self, live: Manifest, run: Run) -> float | None:
        self._ensure_pods(live, run)
        if run.pods() and all(pod.running for pod in run.pods()):
            run.submitted_at = self._loop.time() + self._world.random.uniform(1.0, 4.0)
            self.show(
                key_of(live), jobDeploymentStatus="Running", jobStatus="PENDING", rayClusterStatus={"state": "ready"}
            )
            return run.submitted_at - self._loop.time()
        return None

    def _ensure_pods(self, live: Manifest, run: Run) -> None:
        """The RayCluster, and each of its pods; those that ended are deleted and made anew, evidence and all."""
        key = ObjectKey(kind="RayCluster", namespace=live["metadata"]["namespace"], name=run.cluster)
        cluster = self._server.get(key)
        if cluster is None:
            owner = {"kind": "RayJob", "name": live["metadata"]["name"], "uid": uid_of(live), "controller": True}
            metadata = {"name": key.name, "namespace": key.namespace, "ownerReferences": [owner]}
            cluster = self._server.create(
                {"apiVersion": "ray.io/v1", "kind": "RayCluster", "metadata": metadata, "spec": {}}
            )
            run.head, run.workers = None, []
        spec = live["spec"]["rayClusterSpec"]
        if run.head is None or run.head.ended:
            run.head = self._replace(run, run.head, cluster, spec["headGroupSpec"]["template"], role="head")
        (group,) = spec["workerGroupSpecs"]
        missing = group["replicas"] - len(run.workers)
        run.workers = [*run.workers, *[None] * missing]  # type: ignore[list-item] # filled in the next line
        run.workers = [
            self._replace(run, pod, cluster, group["template"], role="worker") if pod is None or pod.ended else pod
            for pod in run.workers
        ]

    def _replace(self, run: Run, old: Pod | None, cluster: Manifest, template: Manifest, *, role: str) -> Pod:
        if old is not None:
            self._world.nodes.remove(old)
        self._world.pods_made += 1
        name = f"{run.cluster}-{role}-{self._world.pods_made}"
        return self._world.nodes.launch(
            name, owner=cluster, template=template, role=role, on_change=lambda pod: self._pod_changed(run, pod)
        )

    def _pod_changed(self, run: Run, pod: Pod) -> None:
        if run.driver is not None and pod.ended:
            if pod is run.head:
                run.driver.kill()
            elif pod in run.workers:
                run.driver.lose_worker(pod)
        if run.driver is not None and run.workers and all(worker.running for worker in run.workers):
            run.driver.find_workers()
        self.poke(run.ray_job)

    def _await_end(self, live: Manifest, run: Run) -> float | None:
        now, key = self._loop.time(), key_of(live)
        if run.submitted_at is not None and run.driver is None:
            if now < run.submitted_at:
                return run.submitted_at - now
            if run.head is not None and run.head.running:
                run.driver = Driver(self._world, live, run, on_exit=lambda: self.poke(run.ray_job))
                run.dark_since = None
                self.show(key, jobStatus="RUNNING", rayJobInfo={"startTime": rfc3339(wall_clock(self._loop))})
        driver = run.driver
        if driver is not None and driver.ending is not None:
            return self._conclude(live, run, driver)
        self._ensure_pods(live, run)
        if run.head is None or not run.head.running:
            return self._head_is_dark(live, run)
        if run.dark_since is not None or (driver is not None and driver.is_lost):
            # The new head knows nothing of the job: the submitter submits it again, unannounced, under the same id.
            return self._submit_again(live, run)
        return None

    def _head_is_dark(self, live: Manifest, run: Run) -> float | None:
        now = self._loop.time()
        run.dark_since = run.dark_since if run.dark_since is not None else now
        if self.version >= "1.7" and now - run.dark_since >= STATUS_CHECK_SECONDS:
            self._end(live, run, "Failed", reason="JobStatusCheckTimeoutExceeded", message="dashboard unreachable")
        return STATUS_CHECK_SECONDS - (now - run.dark_since) if self.version >= "1.7" else None

    def _submit_again(self, live: Manifest, run: Run) -> float | None:
        if run.submitter_lost:
            return None  # nobody submits again, and 1.6 waits for ever
        if run.submitter_retries >= len(SUBMITTER_PAUSES):
            self._end(live, run, "Failed", reason="SubmissionFailed", message="the submitter gave up")
            return None
        pause = SUBMITTER_PAUSES[run.submitter_retries]
        run.submitter_retries += 1
        run.submitted_at, run.driver, run.dark_since = self._loop.time() + pause, None, None
        return pause

    def _conclude(self, live: Manifest, run: Run, driver: Driver) -> float | None:
        """The Ray job is terminal; with its submitter gone KubeRay waits out the grace."""
        ending, now, key = driver.ending, self._loop.time(), key_of(live)
        assert ending is not None
        if run.over_at is None:
            run.over_at = now
            self.show(key, jobStatus=ending.job_status, message=ending.message)
        if run.submitter_lost and now - run.over_at < SUBMITTER_GRACE_SECONDS:
            return SUBMITTER_GRACE_SECONDS - (now - run.over_at)
        failed = ending.job_status == "FAILED"
        reason = "AppFailed" if failed else None
        if run.submitter_lost:
            reason = "JobDeploymentStatusTransitionGracePeriodExceeded"
        self._end(live, run, "Failed" if failed else "Complete", reason=reason, message=ending.message)
        return float(live["spec"].get("ttlSecondsAfterFinished") or 0)

    def _end(self, live: Manifest, run: Run, state: str, *, reason: str | None, message: str) -> None:
        if run.driver is not None:
            run.driver.kill()
        run.over_at = self._loop.time()
        now = rfc3339(wall_clock(self._loop))
        self.show(key_of(live), jobDeploymentStatus=state, reason=reason, message=message, endTime=now)

    def _suspend(self, key: ObjectKey, uid: str) -> float | None:
        run = self._runs.pop(uid, None)
        self._tear_down(run)
        kept = {"failed": 0, "jobDeploymentStatus": "Suspended", "jobStatus": ""}
        start = ((self._server.get(key) or {}).get("status") or {}).get("startTime")
        self._server.update(key, status={**kept, **({"startTime": start} if start else {})})
        return None

    def _expire(self, live: Manifest) -> float | None:
        run = self._runs.get(uid_of(live))
        if run is None or run.over_at is None:
            return None
        left = run.over_at + float(live["spec"].get("ttlSecondsAfterFinished") or 0) - self._loop.time()
        if left > 0:
            return left
        self._tear_down(run)
        del self._runs[uid_of(live)]
        return None

    def _tear_down(self, run: Run | None) -> None:
        """Delete the Ray cluster with its pods; the driver gets no time to save."""
        if run is None:
            return
        if run.driver is not None:
            run.driver.kill()
        for pod in run.pods():
            self._world.nodes.remove(pod)
        for cluster in self._server.all("RayCluster"):
            if cluster["metadata"]["name"] == run.cluster:
                self._server.delete(key_of(cluster))
