"""How much of recovery.maxRestarts is spent. Two layers spend it: restarts inside an attempt, and new attempts.

failure ──+1──> spent ──> above maxRestarts: the job ends
recovery.windowSeconds of attempts that made progress, since the last counted failure ──> 0
"""

from datetime import datetime

from trivium.api import Job
from trivium.api.failure_classes import FAILURE_POLICIES
from trivium.api.status import Attempt, Failure, JobStatus, RestartBudget


def is_counted(failure: Failure | None) -> bool:
    """Whether a failure costs a restart."""
    return failure is not None and FAILURE_POLICIES[failure.failure_class].counted


def healthy_seconds(budget: RestartBudget, attempt: Attempt, *, until: datetime) -> float:
    """Time of progress since the last counted failure, the given attempt included. Never negative: clocks jump."""
    if attempt.running_at is None or attempt.last_step <= attempt.first_step:
        return budget.healthy_seconds
    since = max(attempt.running_at, budget.last_failure_at or attempt.running_at)
    return budget.healthy_seconds + max(0.0, (until - since).total_seconds())


def charge(
    budget: RestartBudget, attempt: Attempt, *, restarts: int, window_seconds: int, now: datetime
) -> RestartBudget:
    """The budget after so many restarts that count, of `attempt` or inside it."""
    refilled = healthy_seconds(budget, attempt, until=now) >= window_seconds
    return RestartBudget(spent=restarts + (0 if refilled else budget.spent), last_failure_at=now)


def settle(budget: RestartBudget, attempt: Attempt, *, window_seconds: int, now: datetime) -> RestartBudget:
    """The budget after the end of `attempt`."""
    if attempt.outcome == "Failed" and is_counted(attempt.failure):
        return charge(budget, attempt, restarts=1, window_seconds=window_seconds, now=now)
    return budget.model_copy(update={"healthy_seconds": healthy_seconds(budget, attempt, until=now)})


def remaining_at_start(job: Job, status: JobStatus, attempt: Attempt) -> int:
    """Restarts that `attempt` may still make by itself, counted from its beginning.

    What it has spent meanwhile is in the budget too, and is its own to subtract: an answer that is repeated must not
    charge it twice.
    """
    own = attempt.restarts - attempt.preemptions
    left = job.spec.recovery.max_restarts - max(0, status.restart_budget.spent - own)
    return max(0, left)
