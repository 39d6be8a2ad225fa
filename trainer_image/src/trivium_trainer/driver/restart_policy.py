"""Whether a start that failed is made again on the same cluster. Runs in Ray Train's controller.

Ray's own policy retries every error and cannot be replaced (2.60: FailureConfig only counts). So it is told to retry
for ever, and this callback raises when there is nothing to retry: an exception here ends `fit()` with ControllerError
and no second start.

It listens to the controller's states and not to `UserCallback.after_exception`: that one is called at every poll while
a drained node's ranks die one by one, and never where Ray itself ends the ranks because the drain's deadline is over.
The way into RESTARTING is taken once for each start that ended. The base class is Ray's DeveloperAPI (2.60);
tests/training/driver/test_faults_restart.py guards both.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from ray.train.v2._internal.execution.callback import ControllerCallback

from trivium_trainer.driver.blame import blame, is_final
from trivium_trainer.driver.classify import budget_spent
from trivium_trainer.driver.controller_states import announced_ranks, has_start_ended
from trivium_trainer.driver.ledger import Attempt
from trivium_trainer.driver.logs import configure_logging
from trivium_trainer.failure import Failure, FailureClass


class AttemptEndedError(Exception):
    """Raised in the controller; carries the failure to the driver inside Ray's ControllerError."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure


class RestartPolicy(ControllerCallback):  # Any to mypy: ray is skipped
    """One budget over both restart layers: the ledger counts, the operator's first answer limits."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt

    def after_controller_state_update(self, previous_state: Any, current_state: Any) -> None:
        if has_start_ended(previous_state, current_state):
            # A start that Ray itself ended, at a drain's deadline, has no errors of its own.
            errors = getattr(current_state.training_failed_error, "worker_failures", {})
            self.close_start(errors, announced=announced_ranks(previous_state))

    def close_start(self, worker_errors: Mapping[int, Exception], *, announced: Sequence[int] | None) -> None:
        """Enter the end of a start into the ledger. Raises AttemptEndedError if no other may follow."""
        log = configure_logging("controller")
        start = self._attempt.start_number()
        named = self._attempt.read_failure(start)
        failure = named or blame(worker_errors, announced=announced)
        is_pointless = named is not None or is_final(worker_errors)
        is_spent = self._attempt.remaining_budget() == 0 and failure.failure_class is not FailureClass.PREEMPTED
        self._attempt.append_restart(failure, now=time.time(), ended=is_pointless or is_spent)
        if is_pointless:
            raise AttemptEndedError(failure)
        if is_spent:
            raise AttemptEndedError(budget_spent(failure, self._attempt.restarts() - 1))
        log.warning("%s; starting again, %d restarts left", failure.message, self._attempt.remaining_budget())
