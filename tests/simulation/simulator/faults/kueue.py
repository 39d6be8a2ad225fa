"""What Kueue does since the first histories were written; more of it stands in faults/quota.py."""

from simulator.faults.fault import POD_PHASES, Faults
from simulator.world import World
from trivium.store import key_of

FAULTS = Faults()


@FAULTS.add("Kueue evicts", amount=40, only_in=POD_PHASES)
def _evict(world: World, job: int, amount: float) -> bool:
    ray_job = world.ray_job_of(job)
    if ray_job is None or not world.kueue.evict(key_of(ray_job)):
        return False
    world.kueue.taken_until = max(world.kueue.taken_until, world.loop.time() + amount)
    return True


@FAULTS.add("Kueue's webhook is down", amount=40, harmless=True)
def _webhook(world: World, job: int, amount: float) -> bool:
    world.kueue.webhook_down_until = world.loop.time() + amount
    return True
