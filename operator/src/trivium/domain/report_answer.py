"""What a trainer is answered: its attempt, the restarts that are left, and whether to save and stop."""

from typing import Any

from trivium.api import Job
from trivium.api.status import Attempt, JobStatus
from trivium.domain.budget import remaining_at_start
from trivium.domain.report import ProgressReport

STOP_COMMAND = "checkpointAndStop"


def answer_report(job: Job, status: JobStatus, attempt: Attempt, report: ProgressReport) -> dict[str, Any]:
    """The answer as JSON, from what is recorded: a wish that is not in status yet is not passed on."""
    return {
        "attempt": attempt.number,
        "remainingRestarts": remaining_at_start(job, status, attempt, report),
        "command": STOP_COMMAND if status.suspend_requested_at is not None else None,
    }
