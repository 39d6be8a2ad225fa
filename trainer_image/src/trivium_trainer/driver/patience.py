"""How long a rank may be silent before it hangs: learned from its own pulse. Pure, the clock is the caller's.

A run that has shown how long its steps take is given up after five times that, and not after a field's ten minutes.
Source of the factor and of the floor: NVIDIA Resiliency Extension's learned timeouts (observed x 5, never below 60 s).
"""

from collections import deque

from trivium_trainer.progress import Doing

FACTOR = 5
FLOOR_SECONDS = 60.0
"""Of a step: below it a busy disk or a slow neighbor would look like a hang."""
MIN_OBSERVED = 5
"""Before so many pulses only the field counts: the first steps compile, allocate and load."""
REMEMBERED = 100
"""Pulses looked back on; the longest counts, and a first step that compiled for minutes is forgotten in time."""
LEARNED = frozenset({"step", "save", "evaluate", "sample"})
"""What is alike from one time to the next. A download of a tokenizer says nothing of the download of the weights."""
OTHER_ACTIVITIES = 10
"""Downloads, saves and evaluations have no step to count: at most they get this many times the hang timeout, and never
less than the timeout itself, because a shared file system may stall for minutes.
"""


class Patience:
    """One rank's. `observe` is called by the training thread, `timeout_seconds` by the watchdog's."""

    def __init__(self, hang_timeout_seconds: float) -> None:
        self._hang_timeout_seconds = hang_timeout_seconds
        self._observed: dict[Doing, deque[float]] = {}
        self._learned: dict[Doing, float] = {}

    def observe(self, doing: Doing, seconds: float) -> None:
        """The time between two pulses, spent in one activity."""
        if doing not in LEARNED:
            return
        observed = self._observed.setdefault(doing, deque(maxlen=REMEMBERED))
        observed.append(seconds)
        if len(observed) >= MIN_OBSERVED:
            floor = FLOOR_SECONDS if doing == "step" else self._hang_timeout_seconds
            self._learned[doing] = max(floor, FACTOR * max(observed))

    def timeout_seconds(self, doing: Doing) -> float:
        """Silence beyond this is a hang; never more than the field allows."""
        most = self._hang_timeout_seconds * (1 if doing == "step" else OTHER_ACTIVITIES)
        return min(most, self._learned.get(doing, most))
