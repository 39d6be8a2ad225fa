"""What a fault is: it strikes where it can, and says whether it found anything to strike."""

from collections.abc import Callable
from dataclasses import dataclass

from simulator.world import World

Apply = Callable[[World, int, float], bool]
"""(world, place of the job, amount) -> whether there was anything to strike. Units of `amount`: seconds, unless the
fault says otherwise."""
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


class Faults(dict[str, Fault]):
    """Faults by their names."""

    def add(
        self, name: str, *, amount: float = 0.0, only_in: frozenset[str] = ALL_PHASES, harmless: bool = False
    ) -> Callable[[Apply], Apply]:
        """Decorates what the fault does."""

        def keep(apply: Apply) -> Apply:
            self[name] = Fault(apply=apply, amount=amount, only_in=only_in, harmless=harmless)
            return apply

        return keep
