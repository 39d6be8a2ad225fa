"""What becomes of a place in a queue, and of quota. A module of its own: faults are added at the catalog's end."""

from simulator.faults.fault import ATTEMPT_PHASES, POD_PHASES, Faults
from simulator.world import World
from trivium.ports import ObjectKey
from trivium.store import key_of

FAULTS = Faults()


def _ray_job(world: World, job: int) -> ObjectKey | None:
    live = world.ray_job_of(job)
    return key_of(live) if live is not None else None


@FAULTS.add("Kueue is down", amount=60, harmless=True)
def _down(world: World, job: int, amount: float) -> bool:
    world.kueue.down_until = world.loop.time() + amount
    return True


@FAULTS.add("other tenants have the quota", amount=120, harmless=True)
def _taken(world: World, job: int, amount: float) -> bool:
    world.kueue.taken_until = world.loop.time() + amount
    return True


@FAULTS.add("the queue is stopped", amount=90, only_in=ATTEMPT_PHASES)
def _stop_queue(world: World, job: int, amount: float) -> bool:
    """With everything in it: HoldAndDrain."""
    world.kueue.stopped_until = world.loop.time() + amount
    key = _ray_job(world, job)
    if key is not None:
        world.kueue.evict(key, "ClusterQueueStopped", "The ClusterQueue is stopped")
    return True


@FAULTS.add("Kueue evicts from a failed node", only_in=POD_PHASES)
def _node_failures(world: World, job: int, amount: float) -> bool:
    key = _ray_job(world, job)
    message = "Workload was evicted as there was no replacement for a failed node: node-1"
    return key is not None and world.kueue.evict(key, "NodeFailures", message)


@FAULTS.add("Kueue finds the pods too slow", only_in=frozenset({"Starting", "Preparing", "Running"}))
def _pods_ready_timeout(world: World, job: int, amount: float) -> bool:
    key = _ray_job(world, job)
    message = f"Exceeded the PodsReady timeout {key.namespace}/{key.name}" if key is not None else ""
    return key is not None and world.kueue.evict(key, "PodsReadyTimeout", message)


@FAULTS.add("an admission check is asked again", only_in=POD_PHASES)
def _check_again(world: World, job: int, amount: float) -> bool:
    key = _ray_job(world, job)
    message = "At least one admission check is false"
    return key is not None and world.kueue.evict(key, "AdmissionCheck", message)


@FAULTS.add("Kueue gives the Workload up", only_in=ATTEMPT_PHASES)
def _give_up(world: World, job: int, amount: float) -> bool:
    key = _ray_job(world, job)
    return key is not None and world.kueue.deactivate(key, cause="RequeuingLimitExceeded")


@FAULTS.add("somebody deactivates the Workload", amount=90, only_in=ATTEMPT_PHASES)
def _deactivate(world: World, job: int, amount: float) -> bool:
    key = _ray_job(world, job)
    if key is None or not world.kueue.deactivate(key):
        return False
    world.loop.call_later(amount, world.kueue.activate, key)
    return True


@FAULTS.add("Kueue cannot start the RayJob", only_in=frozenset({"Starting", "Queued"}))
def _cannot_start(world: World, job: int, amount: float) -> bool:
    world.kueue.cannot_start_next = True
    return True


@FAULTS.add("somebody deletes the Workload", only_in=ATTEMPT_PHASES)
def _delete_workload(world: World, job: int, amount: float) -> bool:
    live = world.ray_job_of(job)
    workload = world.kueue.workload_of(live)
    if workload is not None:
        world.server.delete(key_of(workload))
    return workload is not None
