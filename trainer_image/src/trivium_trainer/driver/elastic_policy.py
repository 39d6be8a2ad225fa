"""How many ranks an elastic run starts again with: as many as its living nodes can take, once Ray knows which live.

Ray 2.60 counts the nodes of its last look, up to 20 s ago, and takes a node for alive until its health checks have
failed for some 15 s. So it would ask for a rank on the node that was just lost, and wait for it until the worker
group's start times out (minutes: the timeout has to cover image pulls; measured, 71.5 s with 60 s). This policy waits
until the nodes' states are certain, and counts those that live and are not about to go.
"""

import time
from collections.abc import Callable
from typing import Any

import ray
from ray.train.v2._internal.execution.scaling_policy import ElasticScalingPolicy, NoopDecision

from trivium_trainer.driver.controller_states import announced_ranks, has_start_ended

SETTLE_SECONDS = 20.0
"""After ranks have died: Ray's health checks (five, three seconds apart) have found a lost node by then.

A host that does not even refuse connections takes them up to a minute; such a one is waited for until the start times
out, as with Ray's own policy.
"""
PAUSE_SECONDS = 0.5


class LivingNodesPolicy(ElasticScalingPolicy):  # Any to mypy: ray is skipped
    """Ray's policy with a sharper eye. Private base class, guarded by tests/training/driver/test_lost_node.py."""

    def __init__(
        self,
        scaling_config: Any,
        *,
        usable_nodes: Callable[[], set[str]] | None = None,
        settle_seconds: float = SETTLE_SECONDS,
    ) -> None:
        super().__init__(scaling_config)
        self._usable_nodes = usable_nodes or list_usable_nodes
        self._settle_seconds = settle_seconds
        self._settled_at = 0.0
        self._usable: set[str] = set()

    def after_controller_state_update(self, previous_state: Any, current_state: Any) -> None:
        super().after_controller_state_update(previous_state, current_state)
        if has_start_ended(previous_state, current_state):
            # Of a drain that was announced everything is known: the node counts as gone from then on.
            is_known = announced_ranks(previous_state) is not None
            self._settled_at = 0.0 if is_known else time.monotonic() + self._settle_seconds

    def make_decision_for_non_running_worker_group(self) -> Any:
        if time.monotonic() < self._settled_at:
            time.sleep(PAUSE_SECONDS)  # Ray's loop asks again at once
            return NoopDecision()
        return super().make_decision_for_non_running_worker_group()

    def _get_reserved_resources(self) -> Any:
        looked_at = self._latest_reserved_resources_query_time
        reserved = super()._get_reserved_resources()
        if self._latest_reserved_resources_query_time != looked_at:
            self._usable = self._usable_nodes()
        if reserved is None:
            return None
        return {node: resources for node, resources in reserved.items() if node in self._usable}


def list_usable_nodes() -> set[str]:
    """Ids of the nodes that a rank can be placed on: alive, and not announced to go."""
    alive = {node["NodeID"] for node in ray.nodes() if node["Alive"]}
    draining: set[str] = set(ray._private.state.state.get_draining_nodes())  # noqa: SLF001  as Ray Train's own watcher
    return alive - draining
