"""Stop after three restarts that reached no new checkpoint, whatever the budget: a fourth of the same does not help.

Both layers count: starts inside an attempt, which the trainer makes by itself, and attempts. Preemptions and stops are
nobody's fault and count for nothing.

    checkpoint 20 ──start──✗──start──✗──start──✗──start──✗   four starts from 20, so three restarts without progress
                   └──── attempt 3 ────┘   └─── attempt 4 ──
"""

from trivium.api.failure_reasons import FailureReason
from trivium.api.status import JobStatus, StageStatus
from trivium.domain.budget import is_counted
from trivium.domain.failure_of import own_failure
from trivium.domain.situation import Situation
from trivium.domain.verdict import End, Verdict

MAX_RESTARTS_WITHOUT_PROGRESS = 3
"""As NVIDIA's resiliency extension does."""


def judge_standstill(situation: Situation) -> Verdict | None:
    """Whether the living attempt only starts again and again."""
    attempt = situation.living
    if attempt is None or attempt.outcome is not None or attempt.idle_restarts == 0:
        return None
    count = restarts_without_progress(situation.status, situation.stage)
    if count < MAX_RESTARTS_WITHOUT_PROGRESS:
        return None
    message = f"{count} restarts in a row reached no new checkpoint, {attempt.idle_restarts} of them in this attempt."
    return End(outcome="Failed", failure=own_failure(FailureReason.STANDSTILL, message))


def restarts_without_progress(status: JobStatus, stage: StageStatus | None) -> int:
    """How many of the last restarts began where the checkpoint still is."""
    step = stage.checkpoint.step if stage is not None and stage.checkpoint is not None else 0
    failed_starts = 0
    for attempt in reversed(status.attempts):
        if stage is None or attempt.stage != stage.name:
            break
        failed_starts += attempt.idle_restarts
        if attempt.first_step < step:
            break
        failed_starts += attempt.outcome == "Failed" and is_counted(attempt.failure)
    return max(0, failed_starts - 1)  # the first of them was no restart
