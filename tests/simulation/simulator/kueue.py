"""Kueue: a webhook that suspends at birth, quota that comes later, and eviction that takes it back.

Only RayJobs with a queue label are queued. A namespace with a LocalQueue called `default` gives that label to the others
too (LocalQueueDefaulting), so an operator that knows nothing of queues must live with it as well.
"""

from typing import TYPE_CHECKING, Any

from trivium.ports import Manifest, ObjectKey, TransientError
from trivium.store import key_of, uid_of

if TYPE_CHECKING:
    from simulator.world import World

QUEUE = "kueue.x-k8s.io/queue-name"


class Kueue:
    """Its webhook and its scheduler."""

    def __init__(self, world: "World", *, default_queue: bool) -> None:
        self._world, self._server = world, world.server
        self._default_queue = default_queue
        self.webhook_down_until = 0.0
        self.closed_until = 0.0
        """No quota before this time."""
        world.server.admission.append(self._admit_creation)
        world.server.listeners.append(self._hear)

    def evict(self, key: ObjectKey, *, seconds: float) -> bool:
        """Preempt a running RayJob; it is admitted again when there is quota. Returns whether it was Kueue's to take."""
        live = self._server.get(key)
        if live is None or not _is_queued(live) or live["spec"].get("suspend"):
            return False
        self.closed_until = max(self.closed_until, self._world.loop.time() + seconds)
        self._server.update(key, spec={**live["spec"], "suspend": True})
        return True

    def _admit_creation(self, manifest: dict[str, Any]) -> None:
        if manifest["kind"] != "RayJob":
            return
        labels = manifest["metadata"].setdefault("labels", {})
        if self._default_queue:
            labels.setdefault(QUEUE, "default")
        if QUEUE not in labels:
            return
        if self._world.loop.time() < self.webhook_down_until:
            raise TransientError("failed calling webhook mrayjob.kb.io")
        manifest["spec"]["suspend"] = True

    def _hear(self, event: str, manifest: Manifest) -> None:
        if manifest["kind"] == "RayJob" and event != "DELETED" and _is_inactive(manifest):
            wait = max(0.0, self.closed_until - self._world.loop.time()) + self._world.random.uniform(1.0, 8.0)
            self._world.loop.call_later(wait, self._admit, key_of(manifest), uid_of(manifest))

    def _admit(self, key: ObjectKey, uid: str) -> None:
        live = self._server.get(key)
        if live is None or uid_of(live) != uid or not _is_inactive(live) or live["metadata"].get("deletionTimestamp"):
            return
        left = self.closed_until - self._world.loop.time()
        if left > 0:
            self._world.loop.call_later(left + 1.0, self._admit, key, uid)
            return
        self._server.update(key, spec={**live["spec"], "suspend": False})


def _is_queued(ray_job: Manifest) -> bool:
    return QUEUE in (ray_job["metadata"].get("labels") or {})


def _is_inactive(ray_job: Manifest) -> bool:
    """Quota is given, and given back, only while nothing of the RayJob runs."""
    state = (ray_job.get("status") or {}).get("jobDeploymentStatus", "")
    return _is_queued(ray_job) and bool(ray_job["spec"].get("suspend")) and state in ("", "Suspended")
