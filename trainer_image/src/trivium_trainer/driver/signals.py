"""SIGTERM and SIGINT in the driver: the node or the job is going, so save if the grace allows."""

import signal
import threading
from collections.abc import Callable
from types import FrameType

from trivium_trainer.failure import Failure, FailureClass, TrainingError


class Termination:
    """The first signal asks for a checkpoint and a stop, the second for the end. Install from the main thread."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.insisted = threading.Event()
        self._on_ask: Callable[[], None] | None = None

    def install(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._receive)

    def on_ask(self, act: Callable[[], None]) -> None:
        """Do this at the first signal, or now if it has come already."""
        self._on_ask = act
        if self.asked.is_set():
            act()

    def _receive(self, number: int, frame: FrameType | None) -> None:
        # No log line here: the interrupted code may hold the stream's lock.
        del number, frame
        if self.asked.is_set():
            self.insisted.set()
            return
        self.asked.set()
        if self._on_ask is not None:
            self._on_ask()


def terminated() -> Failure:
    """Why a run ended that was sent a signal: nothing is wrong with the job."""
    return TrainingError(
        FailureClass.PREEMPTED,
        "Terminated",
        "the driver was asked to go (SIGTERM): its pod was evicted, deleted or stopped by hand.",
        remedy="A new attempt goes on from the newest checkpoint.",
    ).to_failure()
