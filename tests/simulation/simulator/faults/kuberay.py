"""What KubeRay does, and what others do to its objects."""

from simulator.faults.fault import ATTEMPT_PHASES, POD_PHASES, TRAINER_PHASES, Faults
from simulator.world import World
from trivium.store import key_of, uid_of

FAULTS = Faults()


@FAULTS.add("KubeRay is down", amount=60, harmless=True)
def _kuberay_down(world: World, job: int, amount: float) -> bool:
    world.kuberay.down_until = world.loop.time() + amount
    return True


@FAULTS.add("KubeRay refuses the RayJob", only_in=frozenset({"Starting"}))
def _refuse(world: World, job: int, amount: float) -> bool:
    world.kuberay.refuses_next = True
    return True


@FAULTS.add("KubeRay shows a state that nobody knows", amount=30, only_in=ATTEMPT_PHASES, harmless=True)
def _unknown_state(world: World, job: int, amount: float) -> bool:
    ray_job = world.ray_job_of(job)
    status = (ray_job or {}).get("status") or {}
    if ray_job is None or status.get("jobDeploymentStatus") not in ("Initializing", "Running"):
        return False
    key, before = key_of(ray_job), {k: status.get(k) for k in ("jobDeploymentStatus", "jobStatus")}
    world.kuberay.show(key, jobDeploymentStatus="Hibernating", jobStatus="DREAMING")

    def wake() -> None:
        live = world.server.get(key)
        if live is not None and (live.get("status") or {}).get("jobDeploymentStatus") == "Hibernating":
            world.kuberay.show(key, **before)

    world.loop.call_later(amount, wake)
    return True


@FAULTS.add("a success will be shown as a failure", only_in=TRAINER_PHASES)
def _false_failure(world: World, job: int, amount: float) -> bool:
    ray_job = world.ray_job_of(job)
    if ray_job is not None:
        world.falsely_failed.add(uid_of(ray_job))
    return ray_job is not None


@FAULTS.add("the submitter is lost", only_in=TRAINER_PHASES)
def _submitter_lost(world: World, job: int, amount: float) -> bool:
    run = world.run_of(job)
    if run is not None:
        run.submitter_lost = True
    return run is not None


@FAULTS.add("somebody deletes the RayCluster", only_in=POD_PHASES)
def _delete_ray_cluster(world: World, job: int, amount: float) -> bool:
    run = world.run_of(job)
    clusters = [m for m in world.server.all("RayCluster") if run is not None and m["metadata"]["name"] == run.cluster]
    for cluster in clusters:
        world.server.delete(key_of(cluster))
    return bool(clusters)


@FAULTS.add("somebody deletes the RayJob", only_in=ATTEMPT_PHASES)
def _delete_ray_job(world: World, job: int, amount: float) -> bool:
    ray_job = world.ray_job_of(job)
    if ray_job is not None:
        world.server.delete(key_of(ray_job))
    return ray_job is not None
