"""Everything that may befall a history: a module for each of those that it befalls."""

from collections.abc import Mapping
from types import MappingProxyType

from simulator.faults import kuberay, kueue, nodes, operator, people, quota, trainer, unlawful, watches
from simulator.faults.fault import Fault

CATALOG: Mapping[str, Fault] = MappingProxyType(
    operator.FAULTS
    | watches.FAULTS
    | trainer.FAULTS
    | kuberay.FAULTS
    | nodes.FAULTS
    | kueue.FAULTS
    | people.FAULTS
    | quota.FAULTS
)
UNLAWFUL: Mapping[str, Fault] = MappingProxyType(unlawful.FAULTS)


def possible(phase: str, name: str) -> bool:
    """Whether a fault can find anything in a phase."""
    only_in = CATALOG[name].only_in
    return not only_in or phase in only_in
