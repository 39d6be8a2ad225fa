"""How much of recovery.maxRestarts is spent. Two layers spend it: restarts inside an attempt, and new attempts.

failure ──+1──> spent ──> above maxRestarts: the job ends
recovery.windowSeconds of attempts that made progress, since the last counted failure ──> 0
"""

from datetime import datetime

from trivium.api import Job
from trivium.api.failure_classes import FAILURE_POLICIES, FailureClass
from trivium.api.status import Attempt, Failure, JobStatus, RestartBudget, StageStatus
from trivium.domain.report import ProgressReport


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


def counted_inside(report: ProgressReport) -> int:
    """Restarts inside the reporting attempt that cost the budget."""
    return restarts_of(report) - preemptions_of(report)


def restarts_of(report: ProgressReport) -> int:
    """Times that training was started again inside the reporting attempt.

    A trainer counts the starts that ended with an error. The one that ended the attempt was not followed by another
    start; it is the attempt's own failure and must not cost the budget twice.
    """
    failed = report.end is not None and report.end.outcome == "failed"
    return max(0, report.restarts - failed)


def preemptions_of(report: ProgressReport) -> int:
    """Those of them that were preemptions: free of the budget. Never more than there were restarts."""
    end = report.end
    own = end is not None and end.failure is not None and end.failure.failure_class == FailureClass.PREEMPTED
    return min(restarts_of(report), max(0, report.preemptions - own))


def stage_of(status: JobStatus, attempt: Attempt) -> StageStatus:
    """The stage that an attempt runs."""
    return next((one for one in status.stages if one.name == attempt.stage), StageStatus(name=attempt.stage))


def uncharged(status: JobStatus, attempt: Attempt, report: ProgressReport) -> int:
    """Restarts inside the attempts of its stage that cost the budget and are not in it yet.

    Reports get lost, and an attempt may end without a last word. So the trainer's ledger tells each attempt what
    earlier ones did, and a second driver of the same attempt what the first one did. A ledger that was lost tells less
    than was heard.
    """
    heard = stage_of(status, attempt).restarts
    heard_before = heard - (attempt.restarts - attempt.preemptions)
    return max(0, max(report.earlier_restarts, heard_before) + counted_inside(report) - heard)


def remaining_at_start(job: Job, status: JobStatus, attempt: Attempt, report: ProgressReport) -> int:
    """Restarts that the reporting driver may still make by itself, counted from its beginning.

    What it has spent meanwhile is its own to subtract, whether it is in the budget yet or not: an answer that is
    repeated must not charge it twice.
    """
    spent = status.restart_budget.spent + uncharged(status, attempt, report)
    return max(0, job.spec.recovery.max_restarts - max(0, spent - counted_inside(report)))
