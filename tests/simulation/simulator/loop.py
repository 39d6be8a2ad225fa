"""Time that jumps: an asyncio loop whose clock moves to the next timer the moment nothing is left to do.

The loop's timers are the heap of the world's events: tasks of the operator, pods, trainers and faults all wait there,
so the order of a history depends on nothing but its script.
"""

import asyncio
import selectors
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 1, tzinfo=UTC)


class NothingLeftError(Exception):
    """Every task waits for another: the simulation, or the operator in it, has come to a dead end."""


class _JumpingSelector(selectors.SelectSelector):
    """Where a real loop sleeps until the next timer, this one makes it be then."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0

    def select(self, timeout=None):
        if timeout is None:
            raise NothingLeftError("no timer is left, and somebody still waits")
        self.time += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """`time()` is the age of the world in seconds."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.time


def wall_clock(loop: VirtualLoop) -> datetime:
    """The true time of the world."""
    return START + timedelta(seconds=loop.time())


def rfc3339(moment: datetime) -> str:
    """As Kubernetes writes times: whole seconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
