"""The driver's own reports, from its first second until rank 0 speaks: they bring the restart budget."""

import logging
import threading

from trivium_trainer.driver.client import ProgressClient, ReportRefusedError
from trivium_trainer.driver.ledger import Attempt
from trivium_trainer.driver.reporter import sequence_numbers
from trivium_trainer.driver.state import RunState

log = logging.getLogger(__name__)


class StartReporter:
    """Says `start` at each interval while workers come up. In a thread: a receiver that is slow delays nothing."""

    def __init__(self, client: ProgressClient, state: RunState, attempt: Attempt, *, interval_seconds: float) -> None:
        self._client = client
        self._state = state
        self._attempt = attempt
        self._interval_seconds = interval_seconds
        self._settled = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="start-reporter", daemon=True)
        self._thread.start()

    def wait_for_answer(self, timeout_seconds: float) -> None:
        """Give the first report a moment: its answer may be that there is nothing to start."""
        self._settled.wait(timeout_seconds)

    def close(self) -> None:
        self._closed.set()
        self._thread.join()

    def _run(self) -> None:
        if not self._client.enabled:
            self._settled.set()
            return
        numbers = sequence_numbers(0)
        while not self._attempt.taken_over.exists():
            self._post(next(numbers))
            self._settled.set()
            if self._closed.wait(self._interval_seconds):
                return

    def _post(self, sequence: int) -> None:
        try:
            answer = self._client.post(self._state.report(sequence, activity="start"))
        except ReportRefusedError as error:
            log.warning("start not reported: %s", error)
            return
        self._attempt.keep_budget(answer.remaining_restarts)
        if answer.command == "checkpointAndStop":
            self._attempt.stop.touch()
