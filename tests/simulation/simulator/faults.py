"""Everything that may befall a history. Each fault strikes where it can and says whether it found anything to strike.

`amount` is what the strike says: seconds, unless the fault says otherwise.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from simulator.trainer import Trouble
from simulator.world import World
from trivium.store import key_of, uid_of

Apply = Callable[[World, int, float], bool]
ATTEMPT_PHASES = frozenset({"Preparing", "Starting", "Running", "Suspending", "Queued"})
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


FAULTS: dict[str, Fault] = {}


def fault(name: str, *, amount: float = 0.0, only_in: frozenset[str] = ALL_PHASES) -> Callable[[Apply], Apply]:
    def keep(apply: Apply) -> Apply:
        FAULTS[name] = Fault(apply=apply, amount=amount, only_in=only_in)
        return apply

    return keep


# The operator


@fault("the operator is killed")
def _kill(world: World, job: int, amount: float) -> bool:
    holder = world.holder()
    if holder is not None:
        holder.kill()
    return holder is not None


@fault("the operator is frozen", amount=25)
def _freeze(world: World, job: int, amount: float) -> bool:
    holder = world.holder()
    if holder is not None:
        holder.freeze(amount)
    return holder is not None


@fault("the operator is cut off", amount=40)
def _cut_off(world: World, job: int, amount: float) -> bool:
    holder = world.holder()
    if holder is not None:
        holder.connection.unreachable_until = world.loop.time() + amount
    return holder is not None


def _write_strike(word: str) -> Apply:
    def apply(world: World, job: int, amount: float) -> bool:
        holder = world.holder()
        if holder is None:
            return False
        # The next writes but `amount` many are struck.
        holder.connection.strikes.extend([None] * int(amount) + [word])
        return True

    return apply


for _word in ("conflict", "too many requests", "server error", "timeout, not done", "timeout, done"):
    fault(f"a write meets: {_word}")(_write_strike(_word))
fault("the operator is killed before a write")(_write_strike("killed before"))
fault("the operator is killed after a write")(_write_strike("killed after"))


@fault("the API server is down", amount=20)
def _down(world: World, job: int, amount: float) -> bool:
    for process in world.operators.values():
        process.connection.down_until = world.loop.time() + amount
    return True


# Watches


@fault("the watches lag", amount=30)
def _lag(world: World, job: int, amount: float) -> bool:
    return _each_watch(world, lambda process: process.watches.lag(amount))


@fault("the watches break and list anew", amount=15)
def _cut(world: World, job: int, amount: float) -> bool:
    return _each_watch(world, lambda process: process.cut_watches(amount))


@fault("the watches lose events silently", amount=30)
def _deaf(world: World, job: int, amount: float) -> bool:
    return _each_watch(world, lambda process: process.watches.go_deaf(amount))


@fault("the watches double events", amount=60)
def _double(world: World, job: int, amount: float) -> bool:
    return _each_watch(world, lambda process: process.watches.double(amount))


@fault("the watches reorder events", amount=60)
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


@fault("reports are lost", amount=60)
def _reports_lost(world: World, job: int, amount: float) -> bool:
    world.intake_down_until = world.loop.time() + amount
    return True


# KubeRay and pods


@fault("KubeRay is down", amount=60)
def _kuberay_down(world: World, job: int, amount: float) -> bool:
    world.kuberay.down_until = world.loop.time() + amount
    return True


@fault("a node is lost", amount=120)
def _node_lost(world: World, job: int, amount: float) -> bool:
    return _lose_node(world, job, amount, with_evidence=True)


@fault("a node vanishes without a trace", amount=120)
def _node_vanishes(world: World, job: int, amount: float) -> bool:
    return _lose_node(world, job, amount, with_evidence=False)


def _lose_node(world: World, job: int, amount: float, *, with_evidence: bool) -> bool:
    ray_job = world.ray_job_of(job)
    run = world.kuberay.run_of(uid_of(ray_job)) if ray_job is not None else None
    nodes = [pod.node.name for pod in (run.pods() if run is not None else []) if pod.node is not None]
    world.nodes.lose(nodes[-1] if nodes else "node-0", seconds=amount, with_evidence=with_evidence)
    return True


# Users


@fault("somebody deletes the RayJob", only_in=ATTEMPT_PHASES)
def _delete_ray_job(world: World, job: int, amount: float) -> bool:
    ray_job = world.ray_job_of(job)
    if ray_job is not None:
        world.server.delete(key_of(ray_job))
    return ray_job is not None


@fault("the user suspends")
def _suspend(world: World, job: int, amount: float) -> bool:
    return world.edit(world.jobs[job], runPolicy={"suspend": True})


@fault("the user resumes")
def _resume(world: World, job: int, amount: float) -> bool:
    return world.edit(world.jobs[job], runPolicy={"suspend": False})


def possible(phase: str, name: str) -> bool:
    """Whether a fault can find anything in a phase."""
    return not FAULTS[name].only_in or phase in FAULTS[name].only_in


CATALOG: Mapping[str, Fault] = FAULTS
