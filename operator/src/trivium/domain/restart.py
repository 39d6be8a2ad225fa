"""Whether an attempt that failed has a successor, and when: classes, changes, budget, standstill, back-off."""

import hashlib
from datetime import datetime

from trivium.api.conditions import ConditionType, Reason
from trivium.api.failure_classes import FAILURE_POLICIES, Pause
from trivium.api.failure_reasons import FailureReason
from trivium.api.status import Attempt, Failure, Phase
from trivium.domain.budget import is_counted
from trivium.domain.next_attempt import next_attempt
from trivium.domain.situation import Situation
from trivium.domain.standstill import MAX_RESTARTS_WITHOUT_PROGRESS, restarts_without_progress
from trivium.domain.verdict import Finish, Hold, Verdict

_JITTER = 0.2  # of the pause: jobs that failed together do not come back together


def judge_final_failure(situation: Situation) -> Verdict | None:
    """Whether the last failure ends the job. A suspension does not hide it."""
    attempt = _failed_attempt(situation)
    if attempt is None or attempt.failure is None:
        return None
    final = _why_final(situation, attempt.failure)
    return Finish(failure=final) if final is not None else None


def judge_backoff(situation: Situation) -> Verdict | None:
    """Hold until the pause after the last failure is over; None when the next attempt may begin."""
    attempt, due = _failed_attempt(situation), backoff_due_at(situation)
    if attempt is None or attempt.failure is None or due is None or due <= situation.now:
        return None
    message = (
        f"Attempt {attempt.number} failed: {attempt.failure.failure_class} {attempt.failure.reason}. "
        f"{attempt.failure.message} The next attempt begins at {due:%Y-%m-%dT%H:%M:%SZ}."
    )
    return Hold(
        phase=Phase.RESTARTING,
        condition=ConditionType.RESTARTING,
        status="True",
        reason=Reason.BACKING_OFF,
        message=message,
        until=due,
    )


def backoff_due_at(situation: Situation) -> datetime | None:
    """When the pause after the last failure is over."""
    attempt = _failed_attempt(situation)
    if attempt is None or attempt.failure is None or attempt.ended_at is None:
        return None
    if attempt.ended_at > situation.now:
        return None  # the clock went back: how much of the pause is over cannot be told, and its length is only manners
    backoff = situation.job.spec.recovery.backoff
    match FAILURE_POLICIES[attempt.failure.failure_class].pause:
        case Pause.NEVER:
            return None
        case Pause.FREE:
            pause = backoff.initial_seconds if _was_free_before(situation) else 0
        case Pause.BACKOFF:
            doublings = max(0, situation.status.restart_budget.spent - 1)
            pause = min(backoff.initial_seconds * (1 << min(doublings, 20)), backoff.max_seconds)
    return situation.after(attempt.ended_at, seconds=pause * (1 - _JITTER * _fraction(situation, attempt.number)))


def _was_free_before(situation: Situation) -> bool:
    """Whether the attempt before the last cost nothing either. A single preemption is answered at once."""
    attempts = situation.status.attempts
    failure = attempts[-2].failure if len(attempts) > 1 else None
    return failure is not None and not is_counted(failure)


def _failed_attempt(situation: Situation) -> Attempt | None:
    """The last attempt, if it failed and its stage is still to be done."""
    attempt, stage = situation.last_attempt, situation.stage
    if attempt is None or attempt.ended_at is None or stage is None or stage.name != attempt.stage:
        return None
    return attempt if attempt.outcome == "Failed" else None


def _why_final(situation: Situation, failure: Failure) -> Failure | None:
    """The failure to finish with, or None if there is another attempt."""
    policy, stage = FAILURE_POLICIES[failure.failure_class], situation.stage
    if not policy.retried or failure.reason == FailureReason.RAY_JOB_INVALID:
        return failure
    if policy.needs_change and stage is not None and stage.plan is not None:
        change = next_attempt(situation, stage.plan)
        if isinstance(change, str):
            return _explain(failure, change)
    return _why_spent(situation, failure) if policy.counted else None


def _why_spent(situation: Situation, failure: Failure) -> Failure | None:
    """The failure to finish with because trying again has been tried enough."""
    limit = situation.job.spec.recovery.max_restarts
    if situation.status.restart_budget.spent > limit:
        return _explain(failure, f"recovery.maxRestarts: all {limit} restarts are spent.")
    idle = restarts_without_progress(situation.status, situation.stage)
    if idle >= MAX_RESTARTS_WITHOUT_PROGRESS:
        return _explain(failure, f"{idle} restarts in a row reached no new checkpoint.")
    return None


def _explain(failure: Failure, sentence: str) -> Failure:
    room = 1024 - len(sentence) - 1
    return failure.model_copy(update={"message": f"{sentence} {failure.message[:room]}"})


def _fraction(situation: Situation, number: int) -> float:
    """A number in [0, 1) of its own for each attempt of each job: the same at every look."""
    digest = hashlib.sha256(f"{situation.job.metadata.uid}/{number}".encode()).digest()
    return int.from_bytes(digest[:4], "big") / (1 << 32)
