"""Notices that a rank has stopped moving, leaves its stacks behind and ends the process.

A stuck thread cannot be raised out of, so the process goes: `os._exit` with the code of class Hang. Every rank watches
itself; ranks that wait for the stuck one in a collective time out with it and leave their stacks as well.
"""

import faulthandler
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from trivium_trainer.driver.ledger import Attempt
from trivium_trainer.driver.patience import Patience
from trivium_trainer.failure import EXIT_CODES, Failure, FailureClass, TrainingError
from trivium_trainer.progress import Doing

LAST_WORDS_SECONDS = 2.0
"""Between the dump and the exit, so that the other ranks' watchdogs dump too before they lose their peer."""

STDERR = 2
"""The descriptor: sys.stderr may be an object without one."""
OnHang = Callable[[Doing, float], None]

log = logging.getLogger(__name__)


class Watchdog:
    """One rank's pulse. `beat` is called by the training thread; `on_hang` runs on the watchdog's own."""

    def __init__(self, hang_timeout_seconds: float, on_hang: OnHang) -> None:
        self._interval_seconds = min(1.0, hang_timeout_seconds / 5)
        self._patience = Patience(hang_timeout_seconds)
        self._on_hang = on_hang
        self._pulse: tuple[Doing, float] = ("start", time.monotonic())
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._thread.start()

    def beat(self, activity: Doing) -> None:
        before, since = self._pulse
        now = time.monotonic()
        self._patience.observe(before, now - since)
        # One assignment of a tuple: atomic, so that the training path takes no lock.
        self._pulse = (activity, now)

    def close(self) -> None:
        self._closed.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._closed.wait(self._interval_seconds):
            activity, since = self._pulse
            silent_seconds = time.monotonic() - since
            if silent_seconds > self._patience.timeout_seconds(activity):
                self._on_hang(activity, silent_seconds)
                return


def end_hung_process(attempt: Attempt, start: int, rank: int, activity: Doing, silent_seconds: float) -> None:
    """Dump every Python stack, name the hang, and leave. Does not return."""
    name_hang(attempt, start, rank, activity, silent_seconds)
    time.sleep(LAST_WORDS_SECONDS)
    logging.shutdown()
    os._exit(EXIT_CODES[FailureClass.HANG])


def name_hang(attempt: Attempt, start: int, rank: int, activity: Doing, silent_seconds: float) -> Failure:
    """Leave the failure's record and every Python stack, in the log and in the stage's failures folder."""
    error = TrainingError(
        FailureClass.HANG,
        "NoProgress",
        f"rank {rank}: nothing moved for {silent_seconds:.0f} s in activity {activity}.",
        remedy="Look at the stacks in the log or in the stage's failures folder; raise recovery.hangTimeoutSeconds "
        "only if a step may really take that long.",
    )
    log.error("%s", error)
    failure = error.to_failure(rank=rank)
    attempt.write_failure(start, failure)
    _dump_stacks(attempt.stage.failures / f"{start}-stacks-rank-{rank}.txt")
    return failure


def _dump_stacks(path: Path) -> None:
    faulthandler.dump_traceback(file=STDERR, all_threads=True)
    with path.open("w") as file:
        faulthandler.dump_traceback(file=file, all_threads=True)
