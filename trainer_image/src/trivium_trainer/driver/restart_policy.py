"""Whether a start that failed is made again on the same cluster. Runs in Ray Train's controller.

Ray's own policy retries every error and cannot be replaced (2.60: FailureConfig only counts). So it is told to retry
for ever, and this callback, which Ray calls before it decides, raises when there is nothing to retry: an exception
here ends `fit()` with ControllerError and no second start. tests/training/test_faults_restart.py guards that.
"""

import time
from typing import Any

from ray.train import UserCallback

from trivium_trainer.driver.classify import budget_spent, classify, ends_attempt, worker_died
from trivium_trainer.driver.ledger import Attempt
from trivium_trainer.driver.logs import configure_logging
from trivium_trainer.failure import Failure, FailureClass, TrainingError


class AttemptEndedError(Exception):
    """Raised in the controller; carries the failure to the driver inside Ray's ControllerError."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure


class RestartPolicy(UserCallback):  # Any to mypy: ray is skipped
    """One budget over both restart layers: the ledger counts, the operator's first answer limits."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt

    def after_exception(self, run_context: Any, worker_exceptions: dict[int, Exception]) -> None:
        del run_context
        log = configure_logging("controller")
        start = self._attempt.start_number()
        named = self._attempt.read_failure(start)
        failure = named or _judge(worker_exceptions)
        budget = self._attempt.remaining_budget()
        self._attempt.append_restart(failure, now=time.time())
        if named is not None or _is_final(worker_exceptions):
            raise AttemptEndedError(failure)
        if budget == 0 and failure.failure_class is not FailureClass.PREEMPTED:
            raise AttemptEndedError(budget_spent(failure, self._attempt.restarts() - 1))
        log.warning("%s; starting again, %d restarts left", failure.message, budget - 1)


def _is_final(worker_exceptions: dict[int, Exception]) -> bool:
    # A rank that does not share our storage cannot leave a record: its exception itself arrives.
    return any(isinstance(error, TrainingError) and ends_attempt(error) for error in worker_exceptions.values())


def _judge(worker_exceptions: dict[int, Exception]) -> Failure:
    """One failure for a start: who knows the cause goes before who died, and both before who merely lost a peer."""
    dead = {rank: error for rank, error in worker_exceptions.items() if not isinstance(error, TrainingError)}
    named = {rank: error for rank, error in worker_exceptions.items() if isinstance(error, TrainingError)}
    for rank, cause in sorted(named.items(), key=lambda item: (not ends_attempt(item[1]), item[0])):
        if ends_attempt(cause) or not dead:
            return cause.to_failure(rank=rank)
    if any(_is_preempted(error) for error in dead.values()):
        return preemption(sorted(dead))
    if all(type(error).__name__ == "WorkerHealthCheckFailedError" for error in dead.values()):
        return worker_died(sorted(dead), " ".join(map(str, dead.values())))
    rank, error = min(dead.items())
    return classify(error).to_failure(rank=rank)


def _is_preempted(error: Exception) -> bool:
    # RayActorError.preempted, inside WorkerHealthCheckFailedError
    return bool(getattr(getattr(error, "health_check_failure", error), "preempted", False))


def preemption(ranks: list[int]) -> Failure:
    """A node that was taken away with these ranks."""
    return TrainingError(
        FailureClass.PREEMPTED,
        "NodeReclaimed",
        f"ranks {', '.join(map(str, ranks))}: their node was reclaimed.",
        remedy="Training goes on from the newest checkpoint; this costs no restart of recovery.maxRestarts.",
    ).to_failure(rank=ranks[0])
