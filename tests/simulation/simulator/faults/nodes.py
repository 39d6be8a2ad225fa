"""What befalls pods and nodes."""

from simulator.faults.fault import POD_PHASES, Apply, Faults
from simulator.world import World

FAULTS = Faults()


@FAULTS.add("a node is lost", amount=120)
def _node_lost(world: World, job: int, amount: float) -> bool:
    return _lose_node(world, job, amount, with_evidence=True)


@FAULTS.add("a node vanishes without a trace", amount=120)
def _node_vanishes(world: World, job: int, amount: float) -> bool:
    return _lose_node(world, job, amount, with_evidence=False)


@FAULTS.add("every node is lost", amount=300)
def _all_nodes(world: World, job: int, amount: float) -> bool:
    for name in tuple(world.nodes.nodes):
        world.nodes.lose(name, seconds=amount, with_evidence=True)
    return True


@FAULTS.add("the image is not there", amount=60)
def _image(world: World, job: int, amount: float) -> bool:
    world.nodes.image_broken_until = world.loop.time() + amount
    return True


def _end_pod(role: str, *, exit_code: int, reason: str = "Error", disruption: str | None = None) -> Apply:
    def apply(world: World, job: int, amount: float) -> bool:
        run = world.run_of(job)
        pods = [pod for pod in (run.pods() if run is not None else []) if pod.role == role and pod.running]
        for pod in pods[:1]:
            world.nodes.end(pod, exit_code=exit_code, reason=reason, disruption=disruption)
        return bool(pods)

    return apply


FAULTS.add("a worker is killed for its memory", only_in=POD_PHASES)(
    _end_pod("worker", exit_code=137, reason="OOMKilled")
)
FAULTS.add("a worker crashes", only_in=POD_PHASES)(_end_pod("worker", exit_code=139))
FAULTS.add("a worker is preempted", only_in=POD_PHASES)(
    _end_pod("worker", exit_code=143, disruption="PreemptionByScheduler")
)
FAULTS.add("the head is evicted", only_in=POD_PHASES)(
    _end_pod("head", exit_code=143, disruption="EvictionByEvictionAPI")
)
FAULTS.add("the head crashes", only_in=POD_PHASES)(_end_pod("head", exit_code=1))


def _lose_node(world: World, job: int, amount: float, *, with_evidence: bool) -> bool:
    run = world.run_of(job)
    nodes = [pod.node.name for pod in (run.pods() if run is not None else []) if pod.node is not None]
    world.nodes.lose(nodes[-1] if nodes else "node-0", seconds=amount, with_evidence=with_evidence)
    return True
