"""What the watches get wrong."""

from collections.abc import Callable
from typing import Any

from simulator.faults.fault import Faults
from simulator.world import World

FAULTS = Faults()


@FAULTS.add("the watches lag", amount=30, harmless=True)
def _lag(world: World, job: int, amount: float) -> bool:
    return _each_watch(world, lambda process: process.watches.lag(amount))


@FAULTS.add("the watches break and list anew", amount=15, harmless=True)
def _cut(world: World, job: int, amount: float) -> bool:
    return _each_watch(world, lambda process: process.cut_watches(amount))


# Not harmless: a RayCluster that nobody told of gets no reports accepted until the next list, ten minutes at most. Real
# watches break loudly and are listed anew; what is lost in silence is lost by us.
@FAULTS.add("the watches lose events silently", amount=30)
def _deaf(world: World, job: int, amount: float) -> bool:
    return _each_watch(world, lambda process: process.watches.go_deaf(amount))


@FAULTS.add("the watches double events", amount=60, harmless=True)
def _double(world: World, job: int, amount: float) -> bool:
    return _each_watch(world, lambda process: process.watches.double(amount))


@FAULTS.add("the watches reorder events", amount=60, harmless=True)
def _disorder(world: World, job: int, amount: float) -> bool:
    return _each_watch(world, lambda process: process.watches.disorder(amount))


def _each_watch(world: World, act: Callable[[Any], None]) -> bool:
    for process in world.operators.values():
        act(process)
    return True
