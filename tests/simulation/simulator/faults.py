"""Everything that may befall a history. Each fault strikes where it can and says whether it found anything to strike.

`amount` is what the strike says: seconds, unless the fault says otherwise.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from simulator.kuberay import Run
from simulator.trainer import Driver, Trouble
from simulator.world import World
from trivium.store import key_of, uid_of

Apply = Callable[[World, int, float], bool]
ATTEMPT_PHASES = frozenset({"Preparing", "Starting", "Running", "Suspending", "Queued"})
POD_PHASES = ATTEMPT_PHASES - {"Queued"}
TRAINER_PHASES = frozenset({"Preparing", "Running", "Suspending"})
ALL_PHASES: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One kind of disaster."""

    apply: Apply
    amount: float = 0.0
    """A usual extent."""
    only_in: frozenset[str] = ALL_PHASES
    """Phases that have something to strike; empty: all."""
    harmless: bool = False
    """Whether training must not notice: no attempt may fail of it."""


FAULTS: dict[str, Fault] = {}


def fault(
    name: str, *, amount: float = 0.0, only_in: frozenset[str] = ALL_PHASES, harmless: bool = False
) -> Callable[[Apply], Apply]:
    def keep(apply: Apply) -> Apply:
        FAULTS[name] = Fault(apply=apply, amount=amount, only_in=only_in, harmless=harmless)
        return apply

    return keep


# The operator


@fault("the operator is killed", harmless=True)
def _kill(world: World, job: int, amount: float) -> bool:
    holder = world.holder()
    if holder is not None:
        holder.kill()
    return holder is not None


@fault("the operator is frozen", amount=25, harmless=True)
def _freeze(world: World, job: int, amount: float) -> bool:
    holder = world.holder()
    if holder is not None:
        holder.freeze(amount)
    return holder is not None


@fault("the operator is cut off", amount=40, harmless=True)
def _cut_off(world: World, job: int, amount: float) -> bool:
    holder = world.holder()
    if holder is not None:
        holder.connection.unreachable_until = world.loop.time() + amount
    return holder is not None


def _write_strike(word: str) -> Apply:
    def apply(world: World, job: int, amount: float) -> bool:
        # Before anybody leads, whoever will: the first write is still to come.
        writer = world.holder() or min(world.operators.values(), key=lambda one: one.replica)
        # `amount` writes go well before the one that is struck.
        writer.connection.strikes.extend([None] * int(amount) + [word])
        return True

    return apply


for _word in ("conflict", "too many requests", "server error", "timeout, not done", "timeout, done"):
    fault(f"a write meets: {_word}", harmless=True)(_write_strike(_word))
fault("the operator is killed before a write", harmless=True)(_write_strike("killed before"))
fault("the operator is killed after a write", harmless=True)(_write_strike("killed after"))


@fault("the API server is down", amount=20, harmless=True)
def _down(world: World, job: int, amount: float) -> bool:
    for process in world.operators.values():
        process.connection.down_until = world.loop.time() + amount
    return True


# Watches


@fault("the watches lag", amount=30, harmless=True)
def _lag(world: World, job: int, amount: float) -> bool:
    return _each_watch(world, lambda process: process.watches.lag(amount))


@fault("the watches break and list anew", amount=15, harmless=True)
def _cut(world: World, job: int, amount: float) -> bool:
    return _each_watch(world, lambda process: process.cut_watches(amount))


# Not harmless: a RayCluster that nobody told of gets no reports accepted until the next list, ten minutes at most. Real
# watches break loudly and are listed anew; what is lost in silence is lost by us.
@fault("the watches lose events silently", amount=30)
def _deaf(world: World, job: int, amount: float) -> bool:
    return _each_watch(world, lambda process: process.watches.go_deaf(amount))


@fault("the watches double events", amount=60, harmless=True)
def _double(world: World, job: int, amount: float) -> bool:
    return _each_watch(world, lambda process: process.watches.double(amount))


@fault("the watches reorder events", amount=60, harmless=True)
def _disorder(world: World, job: int, amount: float) -> bool:
    return _each_watch(world, lambda process: process.watches.disorder(amount))


def _each_watch(world: World, act: Callable[[Any], None]) -> bool:
    for process in world.operators.values():
        act(process)
    return True


# Trainers


def _named(failure_class: str, reason: str) -> Apply:
    def apply(world: World, job: int, amount: float) -> bool:
        driver = world.driver_of(job)
        if driver is not None:
            driver.strike(Trouble(failure_class, reason, named=True))
        return driver is not None

    return apply


for _class in ("UserError", "DataError", "OutOfMemory", "Infrastructure", "Internal", "NewClass"):
    fault(f"the trainer fails: {_class}", only_in=TRAINER_PHASES)(_named(_class, "Broken"))


@fault("a rank dies", only_in=TRAINER_PHASES)
def _rank_dies(world: World, job: int, amount: float) -> bool:
    driver = world.driver_of(job)
    if driver is not None:
        driver.strike(Trouble("Infrastructure", "WorkerDied", named=False))
    return driver is not None


@fault("reports are lost", amount=60, harmless=True)
def _reports_lost(world: World, job: int, amount: float) -> bool:
    world.intake_down_until = world.loop.time() + amount
    return True


@fault("training hangs", only_in=TRAINER_PHASES)
def _hang(world: World, job: int, amount: float) -> bool:
    return _with_driver(world, job, lambda driver: driver.hang(watchdog=True, mute=False))


@fault("training hangs, and its watchdog with it", only_in=TRAINER_PHASES)
def _hang_unnoticed(world: World, job: int, amount: float) -> bool:
    return _with_driver(world, job, lambda driver: driver.hang(watchdog=False, mute=False))


@fault("the trainer falls silent", only_in=TRAINER_PHASES)
def _silent(world: World, job: int, amount: float) -> bool:
    return _with_driver(world, job, lambda driver: driver.hang(watchdog=False, mute=True))


@fault("somebody stops the Ray job", only_in=TRAINER_PHASES)
def _stop_job(world: World, job: int, amount: float) -> bool:
    return _with_driver(world, job, lambda driver: driver.stop_job())


def _with_driver(world: World, job: int, act: Callable[[Driver], None]) -> bool:
    driver = world.driver_of(job)
    if driver is not None:
        act(driver)
    return driver is not None


# KubeRay


@fault("KubeRay is down", amount=60, harmless=True)
def _kuberay_down(world: World, job: int, amount: float) -> bool:
    world.kuberay.down_until = world.loop.time() + amount
    return True


@fault("KubeRay refuses the RayJob", only_in=frozenset({"Starting"}))
def _refuse(world: World, job: int, amount: float) -> bool:
    world.kuberay.refuses_next = True
    return True


@fault("KubeRay shows a state that nobody knows", amount=30, only_in=ATTEMPT_PHASES, harmless=True)
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


@fault("a success will be shown as a failure", only_in=TRAINER_PHASES)
def _false_failure(world: World, job: int, amount: float) -> bool:
    ray_job = world.ray_job_of(job)
    if ray_job is not None:
        world.falsely_failed.add(uid_of(ray_job))
    return ray_job is not None


@fault("the submitter is lost", only_in=TRAINER_PHASES)
def _submitter_lost(world: World, job: int, amount: float) -> bool:
    run = _run_of(world, job)
    if run is not None:
        run.submitter_lost = True
    return run is not None


@fault("somebody deletes the RayCluster", only_in=POD_PHASES)
def _delete_ray_cluster(world: World, job: int, amount: float) -> bool:
    run = _run_of(world, job)
    clusters = [m for m in world.server.all("RayCluster") if run is not None and m["metadata"]["name"] == run.cluster]
    for cluster in clusters:
        world.server.delete(key_of(cluster))
    return bool(clusters)


@fault("somebody deletes the RayJob", only_in=ATTEMPT_PHASES)
def _delete_ray_job(world: World, job: int, amount: float) -> bool:
    ray_job = world.ray_job_of(job)
    if ray_job is not None:
        world.server.delete(key_of(ray_job))
    return ray_job is not None


def _run_of(world: World, job: int) -> Run | None:
    ray_job = world.ray_job_of(job)
    return world.kuberay.run_of(uid_of(ray_job)) if ray_job is not None else None


# Pods and nodes


@fault("a node is lost", amount=120)
def _node_lost(world: World, job: int, amount: float) -> bool:
    return _lose_node(world, job, amount, with_evidence=True)


@fault("a node vanishes without a trace", amount=120)
def _node_vanishes(world: World, job: int, amount: float) -> bool:
    return _lose_node(world, job, amount, with_evidence=False)


@fault("every node is lost", amount=300)
def _all_nodes(world: World, job: int, amount: float) -> bool:
    for name in tuple(world.nodes.nodes):
        world.nodes.lose(name, seconds=amount, with_evidence=True)
    return True


@fault("the image is not there", amount=60)
def _image(world: World, job: int, amount: float) -> bool:
    world.nodes.image_broken_until = world.loop.time() + amount
    return True


def _end_pod(role: str, *, exit_code: int, reason: str = "Error", disruption: str | None = None) -> Apply:
    def apply(world: World, job: int, amount: float) -> bool:
        run = _run_of(world, job)
        pods = [pod for pod in (run.pods() if run is not None else []) if pod.role == role and pod.running]
        for pod in pods[:1]:
            world.nodes.end(pod, exit_code=exit_code, reason=reason, disruption=disruption)
        return bool(pods)

    return apply


fault("a worker is killed for its memory", only_in=POD_PHASES)(_end_pod("worker", exit_code=137, reason="OOMKilled"))
fault("a worker crashes", only_in=POD_PHASES)(_end_pod("worker", exit_code=139))
fault("a worker is preempted", only_in=POD_PHASES)(
    _end_pod("worker", exit_code=143, disruption="PreemptionByScheduler")
)
fault("the head is evicted", only_in=POD_PHASES)(_end_pod("head", exit_code=143, disruption="EvictionByEvictionAPI"))
fault("the head crashes", only_in=POD_PHASES)(_end_pod("head", exit_code=1))


def _lose_node(world: World, job: int, amount: float, *, with_evidence: bool) -> bool:
    run = _run_of(world, job)
    nodes = [pod.node.name for pod in (run.pods() if run is not None else []) if pod.node is not None]
    world.nodes.lose(nodes[-1] if nodes else "node-0", seconds=amount, with_evidence=with_evidence)
    return True


# Kueue


@fault("Kueue evicts", amount=40, only_in=POD_PHASES)
def _evict(world: World, job: int, amount: float) -> bool:
    ray_job = world.ray_job_of(job)
    return ray_job is not None and world.kueue.evict(key_of(ray_job), seconds=amount)


@fault("Kueue's webhook is down", amount=40, harmless=True)
def _webhook(world: World, job: int, amount: float) -> bool:
    world.kueue.webhook_down_until = world.loop.time() + amount
    return True


# Users and the platform team


@fault("the user suspends", harmless=True)
def _suspend(world: World, job: int, amount: float) -> bool:
    return world.edit(world.jobs[job], runPolicy={"suspend": True})


@fault("the user resumes", harmless=True)
def _resume(world: World, job: int, amount: float) -> bool:
    return world.edit(world.jobs[job], runPolicy={"suspend": False})


@fault("the job is deleted")
def _delete_job(world: World, job: int, amount: float) -> bool:
    there = world.server.get(world.jobs[job]) is not None
    world.server.delete(world.jobs[job])
    return there


@fault("the user asks for two workers", harmless=True)
def _more_workers(world: World, job: int, amount: float) -> bool:
    return world.edit(world.jobs[job], compute={"workers": 2})


@fault("children are damaged", only_in=ATTEMPT_PHASES, harmless=True)
def _damage(world: World, job: int, amount: float) -> bool:
    policies = world.server.all("NetworkPolicy")
    for policy in policies:
        world.server.update(key_of(policy), spec={**policy["spec"], "ingress": [{}]})
    return bool(policies)


@fault("children are deleted", only_in=ATTEMPT_PHASES, harmless=True)
def _delete_children(world: World, job: int, amount: float) -> bool:
    children = [*world.server.all("NetworkPolicy"), *world.server.all("ConfigMap")]
    for child in children:
        world.server.delete(key_of(child))
    return bool(children)


@fault("the profile is edited", harmless=True)
def _edit_profile(world: World, job: int, amount: float) -> bool:
    for profile in world.server.all("ComputeProfile"):
        spec = {**profile["spec"], "image": f"registry.example/trainer@sha256:{world.loop.time():.0f}"}
        world.server.update(key_of(profile), spec=spec)
    return True


@fault("the profiles vanish for a while", amount=120, harmless=True)
def _vanish_profiles(world: World, job: int, amount: float) -> bool:
    for profile in world.server.all("ComputeProfile"):
        world.server.delete(key_of(profile))
        again = {**profile, "metadata": {"name": profile["metadata"]["name"]}}
        world.loop.call_later(amount, world.create_if_absent, again)
    return True


@fault("the clock jumps ahead", amount=3600, harmless=True)
def _jump_ahead(world: World, job: int, amount: float) -> bool:
    return _jump(world, amount)


@fault("the clock jumps back", amount=3600, harmless=True)
def _jump_back(world: World, job: int, amount: float) -> bool:
    return _jump(world, -amount)


def _jump(world: World, seconds: float) -> bool:
    holder = world.holder()
    if holder is not None:
        holder.jump(seconds)
    return holder is not None


def _second_ray_job(world: World, job: int, amount: float) -> bool:
    ray_job = world.ray_job_of(job)
    if ray_job is None:
        return False
    twin = {k: v for k, v in ray_job["metadata"].items() if k in ("namespace", "labels", "ownerReferences")}
    world.server.create({**ray_job, "metadata": {**twin, "name": f"{ray_job['metadata']['name']}-twin"}, "status": {}})
    return True


UNLAWFUL = {"a second RayJob appears": Fault(apply=_second_ray_job)}
"""What nothing in a real cluster does; it shows that the checks bite. No script of chance holds it."""


def possible(phase: str, name: str) -> bool:
    """Whether a fault can find anything in a phase."""
    return not FAULTS[name].only_in or phase in FAULTS[name].only_in


CATALOG: Mapping[str, Fault] = MappingProxyType(FAULTS)
