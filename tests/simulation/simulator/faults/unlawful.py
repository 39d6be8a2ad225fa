"""What nothing in a real cluster does; it shows that the checks bite. No script of chance holds it."""

from simulator.faults.fault import Faults
from simulator.world import World

FAULTS = Faults()


@FAULTS.add("a second RayJob appears")
def _second_ray_job(world: World, job: int, amount: float) -> bool:
    ray_job = world.ray_job_of(job)
    if ray_job is None:
        return False
    twin = {k: v for k, v in ray_job["metadata"].items() if k in ("namespace", "labels", "ownerReferences")}
    world.server.create({**ray_job, "metadata": {**twin, "name": f"{ray_job['metadata']['name']}-twin"}, "status": {}})
    return True
