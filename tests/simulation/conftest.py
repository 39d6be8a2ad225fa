"""A cluster, KubeRay and trainers in memory, deterministic, with everything that goes wrong in real ones.

The operator under test is the real controller, store, queue, reconcile, planning and render. What is simulated: the
API server (resource versions, owner references, finalizers), watches that lag behind, KubeRay's state machine, pods,
trainers that report, fail and obey, and an operator that dies before or after any write.
"""

import asyncio
import json
from collections import defaultdict, deque
from datetime import UTC, datetime, timedelta

import pytest

from simulator.manifests import INSPECTION
from trivium.api.conditions import ConditionType
from trivium.api.status import JobStatus
from trivium.controller import Controller, Reporter, ReportError
from trivium.ports import ConflictError, NotFoundError, ObjectKey
from trivium.reconcile import Settings
from trivium.store import JOB_KINDS, Store, controller_uid, key_of, uid_of

PROFILE = {
    "apiVersion": "trivium.dev/v1alpha1",
    "kind": "ComputeProfile",
    "metadata": {"name": "cpu"},
    "spec": {
        "default": True,
        "image": "registry.example/trainer@sha256:1",
        "rayVersion": "2.60.0",
        "worker": {"cpu": 4, "memory": "8Gi"},
        "storage": {"runs": {"claimName": "runs"}},
    },
}


def clone(value):
    """A copy, as a trip through the API server makes one."""
    return json.loads(json.dumps(value))


class OperatorDiedError(BaseException):
    """SIGKILL between two writes; a BaseException, so that nothing in the operator catches it."""


class ManualClock:
    def __init__(self):
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self):
        return self.time

    async def wait(self, event, *, until):
        # One turn for the passes; then the time that was to be waited for has come.
        await asyncio.sleep(0)
        if not event.is_set() and until is not None:
            self.time = max(self.time, until)


class FakeCluster:
    """ports.Cluster over a dictionary. Writes through the port count, may fail, and are checked for the invariants."""

    def __init__(self, clock):
        self.clock = clock
        self.objects = {}
        self.version = 0
        self.watches = defaultdict(deque)
        """One watch per kind, as in Kubernetes: nothing orders an event of one before an event of another."""
        self.writes = []
        self.events = []
        self.fault = None
        """Called before and after each write of the operator with its number and a word; may raise."""

    # The world's side

    def put(self, manifest):
        manifest = clone(manifest)
        key = key_of(manifest)
        known = self.objects.get(key)
        self.version += 1
        manifest["metadata"].setdefault("uid", f"uid-{self.version}")
        manifest["metadata"].setdefault("creationTimestamp", rfc(self.clock.now()))
        manifest["metadata"].setdefault("generation", 1)
        manifest["metadata"]["resourceVersion"] = str(self.version)
        self.objects[key] = manifest
        self.watches[key.kind].append(("MODIFIED" if known else "ADDED", clone(manifest)))
        return clone(manifest)

    def change(self, key, change, *, spec=False):
        manifest = clone(self.objects[key])
        change(manifest)
        if spec:
            manifest["metadata"]["generation"] += 1
        return self.put(manifest)

    def remove(self, key):
        manifest = self.objects.pop(key)
        self.version += 1
        manifest["metadata"]["resourceVersion"] = str(self.version)
        self.watches[key.kind].append(("DELETED", manifest))
        for child in [k for k, m in self.objects.items() if controller_uid(m) == uid_of(manifest)]:
            self.start_deletion(child)

    def start_deletion(self, key):
        """RayJobs carry KubeRay's finalizer: they stay until it has been there."""
        if key.kind == "RayJob":
            if "deletionTimestamp" not in self.objects[key]["metadata"]:
                now = rfc(self.clock.now())
                self.change(key, lambda m: m["metadata"].update(deletionTimestamp=now))
        else:
            self.remove(key)

    def all(self, kind):
        return [self.objects[key] for key in sorted(self.objects) if key.kind == kind]

    # The operator's side

    async def get(self, key):
        return clone(self.objects.get(key))

    async def list_all(self, kind):
        return clone(self.all(kind))

    async def create(self, manifest):
        self._before("create", key_of(manifest))
        if key_of(manifest) in self.objects:
            raise ConflictError("the name is taken")
        if manifest["kind"] == "RayJob":
            self._check_new_ray_job(manifest)
        written = self.put(manifest)
        self._after()
        return written

    async def apply(self, manifest):
        self._before("apply", key_of(manifest))
        known = self.objects.get(key_of(manifest))
        written = self.put({**manifest, "metadata": {**(known or {}).get("metadata", {}), **manifest["metadata"]}})
        self._after()
        return written

    async def delete(self, key, *, uid):
        self._before("delete", key)
        known = self.objects.get(key)
        if known is not None and uid_of(known) == uid:
            if key.kind == "RayJob":
                self._check_deleted_ray_job(known)
            self.start_deletion(key)
        self._after()

    async def replace_status(self, manifest):
        self._before("status", key_of(manifest))
        known = self.objects.get(key_of(manifest))
        if known is None:
            raise NotFoundError("gone")
        if known["metadata"]["resourceVersion"] != manifest["metadata"]["resourceVersion"]:
            raise ConflictError("changed meanwhile")
        status = json.loads(json.dumps(manifest["status"], allow_nan=False))
        JobStatus.model_validate(status)
        written = self.put({**known, "status": status})
        self._after()
        return written

    async def emit(self, event):
        self.events.append(event)

    def _before(self, verb, key):
        if self.fault is not None:
            self.fault(len(self.writes), "before")
        self.writes.append((verb, key))

    def _after(self):
        if self.fault is not None:
            self.fault(len(self.writes) - 1, "after")

    # Invariants

    def _job_of(self, ray_job):
        uid = controller_uid(ray_job)
        return next((m for m in self.objects.values() if m["kind"] in JOB_KINDS and uid_of(m) == uid), None)

    def _check_new_ray_job(self, manifest):
        siblings = [m for m in self.all("RayJob") if controller_uid(m) == controller_uid(manifest)]
        assert not siblings, "two RayJobs of one job at once"
        job = self._job_of(manifest)
        assert job is not None, "a child of a job that is gone"
        last = job["status"]["attempts"][-1]
        assert last["rayJob"] == manifest["metadata"]["name"], "created before status named it"
        assert "endedAt" not in last, "created after its end"

    def _check_deleted_ray_job(self, manifest):
        job = self._job_of(manifest)
        assert job is not None
        attempts = {a["rayJob"]: a for a in job["status"]["attempts"]}
        recorded = attempts.get(manifest["metadata"]["name"])
        assert recorded is None or "endedAt" in recorded, "deleted before its end was recorded"


def rfc(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


class World:
    """The cluster, an operator that may be replaced, and what KubeRay and the trainers do when they are asked."""

    def __init__(self):
        self.clock = ManualClock()
        self.cluster = FakeCluster(self.clock)
        self.cluster.put(PROFILE)
        self.progress = {}
        """RayJob uid -> what its trainer has done: {sequence, step}. Runs live in directories, by job uid and stage."""
        self.directories = {}
        self.answers = []
        self.start_operator()

    # The operator

    def start_operator(self):
        """A new process: nothing but the cluster survives. It lists, so what the old watch had queued is void."""
        self.store = Store()
        settings = Settings(listening_since=self.clock.now(), progress_url="http://127.0.0.1:1/v1alpha1/progress")
        self.controller = Controller(self.store, self.cluster, settings, self.clock)
        self.cluster.watches.clear()
        self.alive = False

    async def ensure_listed(self):
        if not self.alive:
            self.alive = True
            await self.controller.resync()

    def deliver(self, *, kind=None, count=None):
        """Hand the operator the next events of one watch, or all of all."""
        for one in [kind] if kind else sorted(self.cluster.watches):
            watch = self.cluster.watches[one]
            for _ in range(len(watch) if count is None else min(count, len(watch))):
                self.controller.on_event(*watch.popleft())

    async def run_one_key(self):
        """One pass, if a key is ready. A dead operator is replaced by a new one."""
        await self.ensure_listed()
        key = self.controller.pop()
        if key is None:
            return False
        try:
            await self.controller.one_pass(key)
        except OperatorDiedError:
            self.start_operator()
        return True

    async def settle(self, *, passes=200):
        """Deliver and pass until nothing is ready now."""
        for _ in range(passes):
            await self.ensure_listed()
            self.deliver()
            if not await self.run_one_key() and not any(self.cluster.watches.values()):
                return
        raise AssertionError("the operator does not come to rest")

    # Jobs

    def add_job(self, name="a", *, kind="SFTJob", upstream=None, **blocks):
        source = {"job": upstream} if upstream else {"hub": {"repo": "some/model"}}
        spec = {
            "model": {"from": source},
            "data": {"train": [{"from": {"hub": {"repo": "some/data"}}}], "maxLength": 256},
            "optimization": {"steps": 100, "globalBatchSize": 32},
            **blocks,
        }
        if kind == "PreferenceJob":
            spec["method"] = {"dpo": {}}
        metadata = {"name": name, "namespace": "team"}
        self.cluster.put({"apiVersion": "trivium.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})
        return ObjectKey(kind=kind, namespace="team", name=name)

    def edit(self, key, **blocks):
        self.cluster.change(key, lambda m: m["spec"].update(blocks), spec=True)

    def status(self, key):
        return JobStatus.model_validate(self.cluster.objects[key].get("status") or {})

    def condition(self, key, kind):
        found = [c for c in self.status(key).conditions if c.type == kind]
        return (found[0].status, found[0].reason) if found else None

    def is_over(self, key):
        kinds = (ConditionType.SUCCEEDED, ConditionType.FAILED)
        return any((self.condition(key, kind) or ("",))[0] == "True" for kind in kinds)

    # KubeRay

    def ray_jobs(self):
        return self.cluster.all("RayJob")

    def ray_job(self):
        (only,) = self.ray_jobs()
        return only

    def set_ray_job(self, ray_job, deployment, job="", **status):
        def change(manifest):
            manifest.setdefault("status", {}).update(jobDeploymentStatus=deployment, jobStatus=job, **status)

        if key_of(ray_job) in self.cluster.objects:
            self.cluster.change(key_of(ray_job), change)

    def start(self, ray_job):
        name = f"{ray_job['metadata']['name']}-x"
        self.set_ray_job(ray_job, "Initializing", rayClusterName=name, startTime=rfc(self.clock.now()))

    def run(self, ray_job):
        self.set_ray_job(ray_job, "Running", "RUNNING")

    def finish_deletion(self, ray_job):
        self.cluster.remove(key_of(ray_job))

    def pod(self, ray_job, *, name="p", **status):
        """A pod of the RayJob's cluster, with the cluster that owns it."""
        cluster = {
            "apiVersion": "ray.io/v1",
            "kind": "RayCluster",
            "metadata": {
                "name": f"{ray_job['metadata']['name']}-x",
                "namespace": "team",
                "uid": f"{uid_of(ray_job)}-cluster",
                "ownerReferences": [{"uid": uid_of(ray_job), "controller": True}],
            },
        }
        if key_of(cluster) not in self.cluster.objects:
            self.cluster.put(cluster)
        metadata = {
            "name": f"{ray_job['metadata']['name']}-{name}",
            "namespace": "team",
            "ownerReferences": [{"uid": f"{uid_of(ray_job)}-cluster", "controller": True}],
        }
        manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"nodeName": "n1"}}
        self.cluster.put({**manifest, "status": status})

    # Trainers

    def stage_of(self, ray_job):
        return ray_job["metadata"]["labels"]["trivium.dev/stage"]

    async def report(self, ray_job, **fields):
        """What the trainer of a RayJob says now. Returns the answer, None if the report was refused."""
        await self.ensure_listed()
        uid, stage = controller_uid(ray_job), self.stage_of(ray_job)
        mine = self.progress.setdefault(uid_of(ray_job), {"sequence": -1})
        mine["sequence"] += 1
        report = {
            "apiVersion": "progress.trivium.dev/v1alpha1",
            "jobUid": uid,
            "stage": stage,
            "sequence": mine["sequence"],
            **fields,
        }
        live = self.cluster.objects.get(key_of(ray_job), ray_job)
        cluster = (live.get("status") or {}).get("rayClusterName")
        sending = asyncio.ensure_future(self.controller.on_report(report, Reporter(job_uid=uid, ray_cluster=cluster)))
        try:
            for _ in range(50):
                await asyncio.sleep(0)
                if sending.done():
                    break
                self.deliver()
                await self.run_one_key()
            answer = await sending
        except ReportError:
            return None
        self.answers.append(answer)
        return answer

    async def complete(self, ray_job, *, digest="sha256:d", steps=100):
        """The trainer says its last word and exits; KubeRay notices."""
        stage = self.stage_of(ray_job)
        end = {"outcome": "complete", "stage": stage, "step": steps, "outputDigest": digest}
        extra = {"inspection": INSPECTION} if stage == "prepare" else {"step": steps, "totalSteps": steps}
        for _ in range(5):
            if await self.report(ray_job, activity="finish", end=end, **extra) is not None:
                break
            await self.advance(1)
        self.set_ray_job(ray_job, "Complete", "SUCCEEDED", message="Job finished successfully.")

    def fail(self, ray_job, failure_class="Infrastructure", *, reason="Broken", step=0, outcome="failed"):
        """The trainer's record is the log's last line, and no report ever arrived."""
        record = {"outcome": outcome, "stage": self.stage_of(ray_job), "step": step}
        if outcome == "failed":
            record["failure"] = {"class": failure_class, "reason": reason, "message": "It broke.", "remedy": "Mend it."}
        message = "Job entrypoint command failed\nTRIVIUM-RECORD " + json.dumps(record)
        self.set_ray_job(ray_job, "Failed", "FAILED", reason="AppFailed", message=message)

    # Shortcuts through a job's life

    async def to_running(self):
        """Settle, then bring the only RayJob to where its driver runs; errors and pauses are waited out."""
        await self.settle()
        for _ in range(30):
            if self.ray_jobs():
                break
            await self.advance(1)
        ray_job = self.ray_job()
        self.start(ray_job)
        self.run(ray_job)
        await self.report(ray_job)
        await self.settle()
        return ray_job

    async def sweep(self):
        """KubeRay and the operator after an end, until the RayJob is gone."""
        for _ in range(5):
            await self.settle()
            for ray_job in self.ray_jobs():
                if "deletionTimestamp" in ray_job["metadata"]:
                    self.finish_deletion(ray_job)
        await self.settle()

    async def to_training(self):
        """Through prepare, into a running training attempt."""
        await self.complete(await self.to_running())
        await self.sweep()
        return await self.to_running()

    async def advance(self, seconds):
        self.clock.time += timedelta(seconds=seconds)
        await self.settle()


@pytest.fixture
def world():
    return World()


@pytest.fixture
def new_world():
    """For properties, which need a world for each example."""
    return World


@pytest.fixture
def died():
    return OperatorDiedError
