"""Trainers that say nothing, or say that they do nothing. The trainer's own watchdog comes first, and dumps stacks.

A report that cannot be delivered is no evidence of a hang, so silence alone is given ten times the time. KubeRay 1.6
never notices a dead head by itself: the trainer's voice is the only pulse there is.
"""

from datetime import datetime, timedelta

from trivium.api.failure_reasons import FailureReason
from trivium.domain.failure_of import own_failure
from trivium.domain.ray_job_state import AttemptState
from trivium.domain.situation import Situation
from trivium.domain.time_spent import held_since
from trivium.domain.verdict import End, Verdict

SLOW_ACTIVITY_FACTOR = 10
"""Download, prepare, compile, save and evaluate may take this many times hangTimeoutSeconds."""
WATCHDOG_FACTOR = 2
"""The trainer's watchdog acts at one time-out; if it has not at two, it hangs itself."""


def judge_silence(situation: Situation) -> Verdict | None:
    """Whether the living attempt hangs."""
    due = silence_due_at(situation)
    if due is None or due > situation.now:
        return None
    snapshot = situation.observation.report
    if snapshot is None or _quiet_at(situation, snapshot.received_at) <= situation.now:
        message = "No report of the trainer arrived for ten times recovery.hangTimeoutSeconds."
        return End(outcome="Failed", failure=own_failure(FailureReason.SILENT, message))
    activity, step = snapshot.report.activity, snapshot.report.step
    message = f"The trainer reports, but its activity {activity} at step {step} has not moved for too long."
    return End(outcome="Failed", failure=own_failure(FailureReason.NO_PROGRESS, message))


def silence_due_at(situation: Situation) -> datetime | None:
    """When the present silence or standstill becomes a hang; None while nothing is expected of the trainer."""
    attempt, observation = situation.living, situation.observation
    if attempt is None or attempt.outcome is not None:
        return None
    # Ray's driver may be submitted again, and a view of the RayJob may be old: who has reported once is to go on.
    started_again = observation.state is AttemptState.STARTING and attempt.running_at is not None
    if observation.state is not AttemptState.RUNNING and not started_again:
        return None
    snapshot = observation.report
    if snapshot is None:
        return _quiet_at(situation, attempt.running_at or held_since(attempt) or attempt.started_at)
    slow = 1 if snapshot.report.activity == "step" else SLOW_ACTIVITY_FACTOR
    allowed = situation.job.spec.recovery.hang_timeout_seconds * slow * WATCHDOG_FACTOR
    moves_by = situation.after(_heard(situation, snapshot.advanced_at), seconds=allowed)
    # Only a report that came after its time can show a standstill; reports that are lost show nothing.
    stands = _heard(situation, snapshot.received_at) >= moves_by
    return moves_by if stands else _quiet_at(situation, snapshot.received_at)


def _quiet_at(situation: Situation, heard_at: datetime) -> datetime:
    seconds = situation.job.spec.recovery.hang_timeout_seconds * SLOW_ACTIVITY_FACTOR
    return situation.after(_heard(situation, heard_at), seconds=seconds)


def _heard(situation: Situation, moment: datetime) -> datetime:
    """From when on a silence counts.

    What was said while nobody listened cannot be held against the trainer; and what was heard in the future was heard
    before the clock went back. `listening_since` is when this process began to listen, or was last away.
    """
    listening = situation.observation.listening_since
    # `now` is cut to whole seconds: a report of this very second is no visitor from the future.
    return listening if moment >= situation.now + timedelta(seconds=1) else max(moment, listening)
