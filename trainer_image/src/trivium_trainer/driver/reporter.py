"""Rank 0's voice: a thread that posts the newest state, and rank 0's ear: it hears the command to stop.

The training thread never waits for it: it only merges into the state. A dead receiver costs this thread a time-out
now and then, more rarely the longer it stays dead.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count

from trivium_trainer.driver.client import ProgressClient, ReportRefusedError
from trivium_trainer.driver.ledger import Attempt
from trivium_trainer.driver.state import RunState
from trivium_trainer.durable import write_json
from trivium_trainer.progress import ReportAnswer

SEQUENCE_BLOCK = 10**9
"""Each start inside an attempt numbers its reports in a block of its own, above all earlier ones."""
LOOK_SECONDS = 0.5
"""How often the stop file is looked for: a stop before a node goes has seconds, not minutes."""
MAX_BACKOFF_SECONDS = 60.0

log = logging.getLogger(__name__)


def sequence_numbers(block: int) -> Iterator[int]:
    """Numbers for the reports of the driver's beginning (block 0), of start n (1 + n), of the end (the next)."""
    return count(block * SEQUENCE_BLOCK)


class Reporter:
    """Runs from construction to close. Never raises into its caller."""

    def __init__(
        self,
        client: ProgressClient,
        state: RunState,
        attempt: Attempt,
        *,
        block: int,
        interval_seconds: float,
        keep: Callable[[], None] = lambda: None,
    ) -> None:
        """`keep` is called whenever the state goes to the disk, to bring more there; it may raise OSError."""
        self._client = client
        self._state = state
        self._attempt = attempt
        self._sequence = sequence_numbers(block)
        self._interval_seconds = interval_seconds
        self._keep = keep
        self._failures = 0
        self._stop = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reporter", daemon=True)
        self._thread.start()

    @property
    def stop_requested(self) -> bool:
        return self._stop.is_set()

    def close(self) -> None:
        """Leave the newest state on the disk, where the driver finds it for the last report."""
        self._closed.set()
        self._thread.join()
        self._save()

    def _run(self) -> None:
        next_post = 0.0
        while not self._closed.is_set():
            if self._attempt.stop.exists():
                self._stop.set()
            if time.monotonic() >= next_post:
                self._save()
                self._post()
                backoff = min(MAX_BACKOFF_SECONDS, self._interval_seconds * 2**self._failures)
                next_post = time.monotonic() + max(self._interval_seconds, backoff if self._failures else 0)
            self._closed.wait(min(LOOK_SECONDS, self._interval_seconds))

    def _post(self) -> None:
        if not self._client.enabled:
            return
        report = self._state.report(next(self._sequence))
        try:
            answer = self._client.post(report)
        except ReportRefusedError as error:
            if self._failures == 0:
                log.warning("progress report not delivered, training goes on: %s", error)
            self._failures += 1
            return
        if self._failures:
            log.info("progress reports are delivered again")
        self._failures = 0
        self._obey(answer)

    def _obey(self, answer: ReportAnswer) -> None:
        self._attempt.keep_budget(answer.remaining_restarts)
        if answer.command == "checkpointAndStop" and not self._stop.is_set():
            log.info("the operator asks for a checkpoint and a stop")
            self._stop.set()

    def _save(self) -> None:
        report = self._state.report(0)
        try:
            self._keep()
            write_json(self._attempt.stage.progress, report.model_dump(mode="json", by_alias=True, exclude_none=True))
        except OSError as error:
            log.warning("progress.json not written: %s", error)
