"""What the states of Ray Train's controller say. Read by name, so that it needs no Ray. Guarded by test_lost_node.

Ray 2.60 (`ray/train/v2/_internal/execution/controller/state.py`): RUNNING, or PREEMPTING once a drain is known, goes to
RESTARTING when the ranks have ended; there the controller stays, telling every round of it, until it may start again.
"""

from collections.abc import Sequence
from typing import Any

RESTARTING = "RestartingState"


def has_start_ended(previous_state: Any, current_state: Any) -> bool:
    """Whether this update tells the end of a start: once for each."""
    return _name(current_state) == RESTARTING and _name(previous_state) != RESTARTING


def announced_ranks(previous_state: Any) -> Sequence[int] | None:
    """Ranks on nodes that a drain was announced for, in the state before the end; None: no drain."""
    info = getattr(previous_state, "preemption_info", None)
    return None if info is None else info.preempted_ranks


def _name(state: Any) -> str:
    return type(state).__name__
