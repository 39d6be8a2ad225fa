"""What befalls the operator and its API server."""

from simulator.faults.fault import Apply, Faults
from simulator.world import World

FAULTS = Faults()


@FAULTS.add("the operator is killed", harmless=True)
def _kill(world: World, job: int, amount: float) -> bool:
    holder = world.holder()
    if holder is not None:
        holder.kill()
    return holder is not None


@FAULTS.add("the operator is frozen", amount=25, harmless=True)
def _freeze(world: World, job: int, amount: float) -> bool:
    holder = world.holder()
    if holder is not None:
        holder.freeze(amount)
    return holder is not None


@FAULTS.add("the operator is cut off", amount=40, harmless=True)
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
    FAULTS.add(f"a write meets: {_word}", harmless=True)(_write_strike(_word))
FAULTS.add("the operator is killed before a write", harmless=True)(_write_strike("killed before"))
FAULTS.add("the operator is killed after a write", harmless=True)(_write_strike("killed after"))


@FAULTS.add("the API server is down", amount=20, harmless=True)
def _down(world: World, job: int, amount: float) -> bool:
    for process in world.operators.values():
        process.connection.down_until = world.loop.time() + amount
    return True
