"""News that one of a run's nodes is about to be taken away, as Ray's watcher gives them to each rank's process."""

from typing import Any


def announced_drain() -> Any | None:
    """Which nodes, and until when; None as long as none is. Inside a Ray Train worker only.

    `ray.train.get_preemption_info` gives the same, but as a collective of all ranks; here rank 0 looks alone and tells
    the others within the step's own all-reduce. Ray 2.60: a private name, guarded by test_lost_node.
    """
    from ray.train.v2._internal.execution.context import get_train_context  # noqa: PLC0415  only ranks have a context

    return get_train_context().preemption_context.preemption_info
