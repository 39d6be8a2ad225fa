"""recovery.excludeFailedNodes: nodes that failed an attempt, and when they are forgiven."""

from datetime import datetime

from trivium.api.failure_classes import FailureClass
from trivium.api.status import ExcludedNode, Failure

MAX_EXCLUDED = 16
"""As many as status holds: a platform with more broken nodes has a problem that no job can work around."""
_BLAMED = frozenset({FailureClass.INFRASTRUCTURE, FailureClass.HANG})
"""Classes whose cause may be the node. Memory, data and code fail alike on every node."""
_NOT_THE_NODES_FAULT = frozenset({"Evicted"})
"""The pod used more than it had asked for."""


def exclude_node(
    nodes: tuple[ExcludedNode, ...], failure: Failure | None, *, now: datetime
) -> tuple[ExcludedNode, ...]:
    """The excluded nodes after a failure; the oldest give way at the limit."""
    if failure is None or failure.node is None or failure.failure_class not in _BLAMED:
        return nodes
    if failure.reason in _NOT_THE_NODES_FAULT:
        return nodes
    others = tuple(one for one in nodes if one.node != failure.node)
    return (*others, ExcludedNode(node=failure.node, reason=failure.reason, since=now))[-MAX_EXCLUDED:]
