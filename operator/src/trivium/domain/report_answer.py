"""What a trainer is answered: its attempt, the restarts that are left, and whether to save and stop."""

from typing import Any

from trivium.api import Job
from trivium.api.status import Attempt, JobStatus

STOP_COMMAND = "checkpointAndStop"


def answer_report(job: Job, status: JobStatus, attempt: Attempt) -> dict[str, Any]:
    """The answer as JSON, from what is recorded: a wish that is not in status yet is not passed on."""
    left = job.spec.recovery.max_restarts - status.restart_budget.spent
    return {
        "attempt": attempt.number,
        "remainingRestarts": max(0, left),
        "command": STOP_COMMAND if status.suspend_requested_at is not None else None,
    }
