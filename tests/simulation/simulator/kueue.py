"""Kueue 0.15: a webhook that suspends at birth, a Workload for each RayJob, quota that comes late and is taken back.

    RayJob ─> Workload ─QuotaReserved, Admitted─> suspend: false      Evicted ─> suspend: true ─> inactive ─> no quota
                  └── others have the quota, the queue is stopped, it is deactivated: it waits, and says why

Only RayJobs with a queue label are queued. A namespace with a LocalQueue called `default` gives that label to the others
too (LocalQueueDefaulting), so an operator that knows nothing of queues must live with it as well. Each look is one pass
of jobframework/reconciler.go, and the scheduler's after it. While Kueue is down nobody looks, and its webhook refuses.
"""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from simulator import workloads
from simulator.loop import START, rfc3339, wall_clock
from simulator.workloads import LOCAL_QUEUE, PREEMPTED, QUEUE_LABEL, condition, holds, with_conditions
from trivium.domain.workload import JOB_UID_LABEL
from trivium.ports import Manifest, ObjectKey, TransientError
from trivium.store import key_of, uid_of

if TYPE_CHECKING:
    from simulator.world import World

_BACKOFF_SECONDS = 60.0  # of waitForPodsReady and of admission checks that are asked again


class Kueue:
    """Its webhook, its job controller and its scheduler."""

    def __init__(self, world: "World", *, default_queue: bool) -> None:
        self._world, self._server, self._loop = world, world.server, world.loop
        self._default_queue = default_queue
        self.webhook_down_until = 0.0
        self.down_until = 0.0
        self.taken_until = 0.0
        """Until then other tenants have all the quota."""
        self.stopped_until = 0.0
        """Until then the ClusterQueue is stopped."""
        self.cannot_start_next = False
        """The next RayJob that is admitted contradicts its flavor."""
        self._due: set[str] = set()
        """uids of RayJobs that are about to be looked at."""
        world.server.admission.append(self._admit_creation)
        world.server.listeners.append(self._hear)

    # What befalls it

    def evict(self, key: ObjectKey, reason: str = "Preempted", message: str = PREEMPTED) -> bool:
        """Take the quota back from a RayJob. Returns whether it had any."""
        workload = self.workload_of(self._server.get(key))
        if workload is None or not holds(workload, "QuotaReserved") or holds(workload, "Evicted") or self._is_down():
            return False
        more: dict[str, Any] = {}
        if reason in ("PodsReadyTimeout", "AdmissionCheck"):
            after = wall_clock(self._loop) + timedelta(seconds=_BACKOFF_SECONDS)
            more["requeueState"] = {"count": 1, "requeueAt": rfc3339(after)}
        preempted = [("Preempted", True, "InClusterQueue", message)] if reason == "Preempted" else []
        self._tell(workload, ("Evicted", True, reason, message), *preempted, **more)
        return True

    def deactivate(self, key: ObjectKey, *, cause: str | None = None) -> bool:
        """Set the Workload's spec.active to false: a person's doing, or Kueue's own for a cause."""
        workload = self.workload_of(self._server.get(key))
        if workload is None or holds(workload, "Finished") or self._is_down():
            return False
        if cause is not None:
            workload = self._tell(workload, ("DeactivationTarget", True, cause, "exceeding its limit"))
        self._server.update(key_of(workload), spec={**workload["spec"], "active": False})
        return True

    def activate(self, key: ObjectKey) -> None:
        """A person's change of mind."""
        workload = self.workload_of(self._server.get(key))
        if workload is not None:
            self._server.update(key_of(workload), spec={**workload["spec"], "active": True})

    def workload_of(self, ray_job: Manifest | None) -> Manifest | None:
        if ray_job is None:
            return None
        uid = uid_of(ray_job)
        labelled = (one for one in self._server.all("Workload") if one["metadata"]["labels"][JOB_UID_LABEL] == uid)
        return next(labelled, None)

    # What it hears

    def _admit_creation(self, manifest: dict[str, Any]) -> None:
        if manifest["kind"] != "RayJob":
            return
        labels = manifest["metadata"].setdefault("labels", {})
        if self._default_queue:
            labels.setdefault(QUEUE_LABEL, LOCAL_QUEUE)
        if QUEUE_LABEL not in labels:
            return
        if self._loop.time() < self.webhook_down_until or self._is_down():
            raise TransientError("failed calling webhook mrayjob.kb.io")
        manifest["spec"]["suspend"] = True

    def _hear(self, event: str, manifest: Manifest) -> None:
        del event
        if manifest["kind"] == "RayJob" and QUEUE_LABEL in (manifest["metadata"].get("labels") or {}):
            self._look_soon(key_of(manifest), uid_of(manifest))
        elif manifest["kind"] == "Workload":
            (owner,) = manifest["metadata"]["ownerReferences"]
            key = ObjectKey(kind="RayJob", namespace=manifest["metadata"]["namespace"], name=owner["name"])
            self._look_soon(key, owner["uid"])

    def _look_soon(self, key: ObjectKey, uid: str, *, at: float = 0.0) -> None:
        if uid not in self._due or at:
            self._due.add(uid)
            delay = max(0.0, at - self._loop.time()) + self._world.random.uniform(0.1, 2.0)
            self._loop.call_later(delay, self._look, key, uid)

    def _is_down(self) -> bool:
        return self._loop.time() < self.down_until

    # One pass

    def _look(self, key: ObjectKey, uid: str) -> None:
        if self._is_down():
            self._look_soon(key, uid, at=self.down_until)
            return
        self._due.discard(uid)
        live = self._server.get(key)
        if live is None or uid_of(live) != uid or live["metadata"].get("deletionTimestamp"):
            self._let_go(uid)
            return
        workload = self.workload_of(live)
        status = live.get("status") or {}
        if status.get("jobDeploymentStatus") in ("Complete", "Failed"):
            if workload is not None and not holds(workload, "Finished"):
                reason = "Succeeded" if status.get("jobStatus") == "SUCCEEDED" else "Failed"
                self._tell(workload, ("Finished", True, reason, status.get("message", "")))
        elif workload is None:
            self._server.create(workloads.new_workload(live))
        elif workload["metadata"].get("deletionTimestamp"):
            if not live["spec"].get("suspend"):
                self._server.update(key, spec={**live["spec"], "suspend": True})
            self._let_go(uid)
        elif not holds(workload, "Finished"):
            self._settle(live, self._deactivated(workload))

    def _let_go(self, uid: str) -> None:
        for one in self._server.all("Workload"):
            if one["metadata"]["labels"][JOB_UID_LABEL] == uid and one["metadata"].get("finalizers"):
                self._server.mark(key_of(one), finalizers=None)

    def _deactivated(self, workload: Manifest) -> Manifest:
        """A Workload that may not be admitted loses what it has."""
        if workload["spec"]["active"] or holds(workload, "Evicted"):
            return workload
        cause = condition(workload, "DeactivationTarget")
        reason, message = "Deactivated", "The workload is deactivated"
        if cause:
            reason, message = f"{reason}DueTo{cause['reason']}", f"{message} due to {cause['message']}"
        return self._tell(workload, ("Evicted", True, reason, message), requeueState=None)

    def _settle(self, live: Manifest, workload: Manifest) -> None:
        """The RayJob follows its Workload, and the Workload the scheduler."""
        evicted, suspended = holds(workload, "Evicted"), bool(live["spec"].get("suspend"))
        if holds(workload, "Admitted") and not evicted:
            if suspended:
                self._start(live, workload)
        elif not suspended:
            self._server.update(key_of(live), spec={**live["spec"], "suspend": True})
        elif evicted and holds(workload, "QuotaReserved"):
            if (live.get("status") or {}).get("jobDeploymentStatus", "") in ("", "Suspended"):
                message = condition(workload, "Evicted")["message"]
                self._show(workload, workloads.refused(workload, "Pending", message, now=self._now()))
        elif workload["spec"]["active"]:
            self._schedule(live, workload)

    def _start(self, live: Manifest, workload: Manifest) -> None:
        if self.cannot_start_next:
            self.cannot_start_next = False
            message = "in podSet head: invalid nodeSelector: conflict for key node-pool, current: a, new: b"
            self._tell(workload, ("Finished", True, "FailedToStart", message))
            return
        self._server.update(key_of(live), spec={**live["spec"], "suspend": False})

    def _schedule(self, live: Manifest, workload: Manifest) -> None:
        now = self._loop.time()
        requeue_at = self._requeue_at(workload)
        if now < self.stopped_until:
            self._wait(live, workload, "Inadmissible", "ClusterQueue gpus is stopped", until=self.stopped_until)
        elif now < requeue_at:
            self._look_soon(key_of(live), uid_of(live), at=requeue_at)
        elif now < self.taken_until:
            self._wait(live, workload, "Pending", workloads.lacking(workload), until=self.taken_until)
        else:
            self._show(workload, workloads.reserved(workload, now=self._now()))

    def _requeue_at(self, workload: Manifest) -> float:
        """When a back-off is over, in the world's seconds."""
        moment = ((workload.get("status") or {}).get("requeueState") or {}).get("requeueAt")
        return 0.0 if moment is None else (datetime.fromisoformat(moment) - START).total_seconds()

    def _wait(self, live: Manifest, workload: Manifest, reason: str, message: str, *, until: float) -> None:
        self._show(workload, workloads.refused(workload, reason, message, now=self._now()))
        self._look_soon(key_of(live), uid_of(live), at=until)

    # What it writes

    def _tell(self, workload: Manifest, *said: tuple[str, bool, str, str], **status: Any) -> Manifest:
        return self._show(workload, with_conditions(workload, *said, now=self._now(), **status))

    def _show(self, workload: Manifest, status: dict[str, Any]) -> Manifest:
        return self._server.update(key_of(workload), status=status)

    def _now(self) -> str:
        return rfc3339(wall_clock(self._loop))
