"""What must hold after every step of every history. A breach is noted, and ends the history.

Breaches are not raised where they are seen: that would be inside the operator, which survives its own errors.
"""

import logging
from collections import Counter
from typing import TYPE_CHECKING, Any, Protocol

from simulator.connection import LEASE
from trivium.api.failure_classes import FAILURE_POLICIES, FailureClass
from trivium.ports import Event, Manifest, ObjectKey
from trivium.store import JOB_KINDS, controller_uid, uid_of

if TYPE_CHECKING:
    from simulator.operators import OperatorProcess
    from simulator.trainer import Driver
    from simulator.world import World

_FINAL = ("Succeeded", "Failed")


class Watcher(Protocol):
    """Who else wants to know how training goes."""

    def on_resume(self, world: "World", driver: "Driver") -> None: ...

    def on_trained(self, world: "World", driver: "Driver") -> None: ...


class Checks:
    """Watches one world."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.breaches: list[str] = []
        self.writes = 0
        self.watcher: Watcher | None = None
        self._told: Counter[tuple[str, str, str]] = Counter()
        self._paid: Counter[str] = Counter()
        """uid of a job -> times that training began again at the budget's cost, in truth."""
        self._statuses: dict[str, Manifest] = {}

    def breach(self, sentence: str) -> None:
        self.breaches.append(f"after {self._world.loop.time():.1f} s: {sentence}")

    # Writes of the operator

    def before_write(self, process: "OperatorProcess", verb: str, key: ObjectKey) -> None:
        lease = self._world.server.get(LEASE)
        holder = (lease or {"spec": {}})["spec"].get("holderIdentity")
        if holder != process.name:
            self.breach(f"{process.name} writes ({verb} {key.kind} {key.name}) while {holder} holds the Lease")
        if verb == "delete" and key.kind == "RayJob":
            self._check_deletion(key)

    def after_write(
        self, process: "OperatorProcess", verb: str, key: ObjectKey, *, before: Manifest | None, after: Manifest | None
    ) -> None:
        del process
        self.writes += 1
        if verb in ("apply", "status") and before is after:
            self.breach(f"a write that changes nothing: {verb} {key.kind} {key.name}")

    def _check_deletion(self, key: ObjectKey) -> None:
        """Nothing of an attempt is deleted before its end is in status."""
        ray_job = self._world.server.get(key)
        job = self._job_of(ray_job) if ray_job is not None else None
        if job is None:
            return
        for attempt in (job.get("status") or {}).get("attempts") or ():
            if attempt["rayJob"] == key.name and "endedAt" not in attempt:
                self.breach(f"RayJob {key.name} is deleted before its end is recorded")

    # Whatever changes

    def on_change(self, event: str, manifest: Manifest) -> None:
        if manifest["kind"] == "RayJob" and event == "ADDED":
            self._check_new_ray_job(manifest)
        elif manifest["kind"] in JOB_KINDS and event == "MODIFIED":
            self._check_status(manifest)

    def _check_new_ray_job(self, ray_job: Manifest) -> None:
        owner = controller_uid(ray_job) or ""
        siblings = [m for m in self._world.server.owned_by(owner, "RayJob") if uid_of(m) != uid_of(ray_job)]
        if siblings:
            self.breach(f"two RayJobs of one job at once: {ray_job['metadata']['name']} beside {_names(siblings)}")
        job = self._job_of(ray_job)
        attempts = ((job or {}).get("status") or {}).get("attempts") or ()
        if job is not None and (not attempts or attempts[-1]["rayJob"] != ray_job["metadata"]["name"]):
            self.breach(f"RayJob {ray_job['metadata']['name']} was created before status named it")
        elif job is not None and "endedAt" in attempts[-1]:
            self.breach(f"RayJob {ray_job['metadata']['name']} was created after its end")

    def _check_status(self, job: Manifest) -> None:
        uid, new = uid_of(job), job.get("status") or {}
        old = self._statuses.get(uid, {})
        if new is old:
            return
        self._statuses[uid] = new
        name = job["metadata"]["name"]
        true = _true_conditions(new)
        live = self._world.server.owned_by(uid, "RayJob")
        for kind in ("Succeeded", "Failed", "Suspended"):
            if kind in true and kind not in _true_conditions(old) and live:
                self.breach(f"job {name} says {kind} while RayJob {_names(live)} exists")
        for kind in _FINAL:
            if kind in _true_conditions(old) and kind not in true:
                self.breach(f"job {name} was {kind} and is not any more")
        if {"Succeeded", "Failed"} <= true:
            self.breach(f"job {name} says that it both succeeded and failed")
        if new and not new.get("message") and new.get("phase") != "Pending":
            self.breach(f"job {name} is {new.get('phase')} and does not say why")
        self._check_attempts(name, uid, old.get("attempts") or (), new.get("attempts") or ())

    def _check_attempts(self, name: str, uid: str, old: Any, new: Any) -> None:
        known = {attempt["number"]: attempt for attempt in old}
        for attempt in new:
            before = known.get(attempt["number"])
            if before is None:
                self._check_restart(name, uid, old)
            elif "endedAt" in before and before != attempt:
                self.breach(f"attempt {attempt['number']} of job {name} changed after its end")
        if len([attempt for attempt in new if "endedAt" not in attempt]) > 1:
            self.breach(f"job {name} has two attempts without an end")
        if new and known and max(known) > new[-1]["number"]:
            self.breach(f"job {name} forgot its attempts")

    def _check_restart(self, name: str, uid: str, earlier: Any) -> None:
        failure = earlier[-1].get("failure") if earlier else None
        if failure is not None and FAILURE_POLICIES[FailureClass(failure["class"])].counted:
            self._pay(name, uid)

    def _pay(self, name: str, uid: str) -> None:
        self._paid[uid] += 1
        if self._paid[uid] > self._world.max_restarts:
            limit = self._world.max_restarts
            self.breach(f"job {name} began again {self._paid[uid]} times at the budget's cost; it has {limit}")

    # What trainers and events tell

    def on_restart_inside(self, driver: "Driver") -> None:
        self._pay(driver.stage, driver.job_uid)

    def on_resume(self, driver: "Driver", *, at: int, every: int, rolled_back: bool) -> None:
        if self.watcher is not None:
            self.watcher.on_resume(self._world, driver)
        lost = driver.directory.furthest - at
        if lost > every and not rolled_back:
            self.breach(f"{lost} steps of progress were lost; checkpoints are {every} steps apart")

    def on_trained(self, driver: "Driver") -> None:
        if self.watcher is not None:
            self.watcher.on_trained(self._world, driver)

    def on_event(self, event: Event) -> None:
        told = (event.uid, event.reason, event.message)
        self._told[told] += 1
        if self._told[told] > 1 and event.reason in ("AttemptStarted", "AttemptEnded", *_FINAL):
            self.breach(f"told twice: {event.reason} {event.message}")

    # At the end

    def nobody_suffered(self) -> None:
        """Where nothing befell training itself, no attempt failed and no job did."""
        for key in self._world.jobs:
            status = self._statuses.get(uid_of(self._world.server.get(key) or {"metadata": {}}), {})
            for attempt in status.get("attempts") or ():
                if attempt.get("outcome") == "Failed":
                    failure = attempt["failure"]
                    self.breach(f"attempt {attempt['number']} of job {key.name} failed of nothing: {failure}")
            if "Failed" in _true_conditions(status):
                self.breach(f"job {key.name} failed of nothing: {status['message']}")

    def at_rest(self) -> None:
        """When every job is over or waits: nothing is held, and nothing lies about."""
        server = self._world.server
        for kind in ("RayJob", "RayCluster", "Pod", "ConfigMap", "NetworkPolicy", "Workload"):
            left = server.all(kind)
            if left:
                self.breach(f"left behind: {kind} {_names(left)}")
        if self._world.nodes.held_gpus():
            self.breach(f"{self._world.nodes.held_gpus()} GPUs are still held")
        for key in self._world.jobs:
            job = server.get(key)
            for attempt in ((job or {}).get("status") or {}).get("attempts") or ():
                if "endedAt" not in attempt:
                    self.breach(f"attempt {attempt['number']} of job {key.name} has no end")

    def _job_of(self, child: Manifest) -> Manifest | None:
        uid = controller_uid(child)
        found = (self._world.server.get(key) for key in self._world.jobs)
        return next((job for job in found if job is not None and uid_of(job) == uid), None)


class BugAlarm(logging.Handler):
    """The controller survives a bug in a pass and logs it; here that is a breach."""

    def __init__(self, checks: Checks) -> None:
        super().__init__(level=logging.ERROR)
        self._checks = checks

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info is not None and record.exc_info[1] is not None:
            error = record.exc_info[1]
            self._checks.breach(f"a pass raised {type(error).__name__}: {str(error)[:300]}")


def _true_conditions(status: Manifest) -> frozenset[str]:
    return frozenset(c["type"] for c in status.get("conditions") or () if c["status"] == "True")


def _names(manifests: list[Manifest]) -> str:
    return ", ".join(one["metadata"]["name"] for one in manifests)
