"""Saving and stopping: for runPolicy.suspend, and when activeDeadlineSeconds is up.

The trainer is told in the answer to its next report, saves, and ends by itself. Once told it stops, also if the wish is
withdrawn meanwhile: the next attempt goes on from that checkpoint. After a grace the RayJob goes anyway.
"""

from datetime import datetime

from trivium.api.failure_reasons import FailureReason
from trivium.api.status import Failure
from trivium.domain.failure_of import own_failure
from trivium.domain.ray_job_state import AttemptState
from trivium.domain.situation import Situation
from trivium.domain.time_spent import held_since
from trivium.domain.verdict import End, RequestStop, Verdict


def judge_stop(situation: Situation) -> Verdict | None:
    """Whether the living attempt has to go, and how far that is."""
    attempt = situation.living
    if attempt is None:
        return None
    requested_at = situation.status.suspend_requested_at
    deadline = deadline_failure(situation)
    if requested_at is None and not situation.job.spec.run_policy.suspend and deadline is None:
        return None
    state = situation.observation.state
    if state is AttemptState.QUEUED or (attempt.running_at is None and state is not AttemptState.RUNNING):
        # Nothing to save yet, or nothing left to save it.
        return _end(deadline)
    if requested_at is None:
        return RequestStop()
    due = stop_due_at(situation)
    return _end(deadline) if due is not None and due <= situation.now else None


def _end(deadline: Failure | None) -> End:
    return End(outcome="Stopped") if deadline is None else End(outcome="Failed", failure=deadline)


def stop_due_at(situation: Situation) -> datetime | None:
    """Until when a trainer that was told to stop may save: as long as it may take for a step."""
    requested_at = situation.status.suspend_requested_at
    if situation.living is None or requested_at is None:
        return None
    return situation.after(requested_at, seconds=situation.job.spec.recovery.hang_timeout_seconds)


def active_deadline_at(situation: Situation) -> datetime | None:
    """When the attempts, all together, will have run for as long as they may."""
    attempt, seconds = situation.living, situation.job.spec.run_policy.active_deadline_seconds
    since = held_since(attempt) if attempt is not None else None
    if since is None or seconds is None:
        return None
    return situation.after(since, seconds=seconds - situation.status.active_seconds)


def deadline_failure(situation: Situation) -> Failure | None:
    """The failure that a passed active deadline is, of a living attempt or of the ones before."""
    seconds = situation.job.spec.run_policy.active_deadline_seconds
    due = active_deadline_at(situation)
    spent = seconds is not None and situation.living is None and situation.status.active_seconds >= seconds
    if not spent and (due is None or due > situation.now):
        return None
    message = f"runPolicy.activeDeadlineSeconds: {seconds} seconds of attempts are over."
    return own_failure(FailureReason.ACTIVE_DEADLINE_EXCEEDED, message)
