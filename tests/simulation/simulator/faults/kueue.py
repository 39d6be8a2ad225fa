"""What Kueue does."""

from simulator.faults.fault import POD_PHASES, Faults
from simulator.world import World
from trivium.store import key_of

FAULTS = Faults()


@FAULTS.add("Kueue evicts", amount=40, only_in=POD_PHASES)
def _evict(world: World, job: int, amount: float) -> bool:
    ray_job = world.ray_job_of(job)
    return ray_job is not None and world.kueue.evict(key_of(ray_job), seconds=amount)


@FAULTS.add("Kueue's webhook is down", amount=40, harmless=True)
def _webhook(world: World, job: int, amount: float) -> bool:
    world.kueue.webhook_down_until = world.loop.time() + amount
    return True
