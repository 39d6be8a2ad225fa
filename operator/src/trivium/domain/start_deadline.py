"""runPolicy.startDeadlineSeconds: the first attempt must run this long after the job's creation, or its resumption."""

from datetime import datetime

from trivium.api.conditions import ConditionType
from trivium.api.failure_reasons import FailureReason
from trivium.domain.failure_of import own_failure
from trivium.domain.ray_job_state import AttemptState
from trivium.domain.situation import Situation
from trivium.domain.verdict import End, Finish, Verdict


def judge_start_deadline(situation: Situation) -> Verdict | None:
    """Whether the job has come too late. Suspended time is its owner's choice and never ends it."""
    due = start_deadline_at(situation)
    if due is None or due > situation.now:
        return None
    seconds = situation.job.spec.run_policy.start_deadline_seconds
    message = (
        f"runPolicy.startDeadlineSeconds: {seconds} seconds after {_since(situation)} no attempt has run yet. "
        f"Last state: {situation.status.message or 'not started'}"
    )
    reason = own_failure(FailureReason.START_DEADLINE_EXCEEDED, message)
    return Finish(failure=reason) if situation.living is None else End(outcome="Failed", failure=reason)


def start_deadline_at(situation: Situation) -> datetime | None:
    """When the deadline passes; None if there is none or it was met."""
    seconds = situation.job.spec.run_policy.start_deadline_seconds
    since = _counts_from(situation)
    running = situation.observation.state is AttemptState.RUNNING
    has_run = running or any(attempt.running_at is not None for attempt in situation.status.attempts)
    if seconds is None or since is None or has_run or situation.job.spec.run_policy.suspend:
        return None
    return situation.after(since, seconds=seconds)


def _counts_from(situation: Situation) -> datetime | None:
    """The job's creation; of a job that was suspended its resumption, which is now if status does not show it yet."""
    suspended = next((c for c in situation.status.conditions if c.type == ConditionType.SUSPENDED), None)
    if suspended is None:
        return situation.job.metadata.creation_timestamp
    return suspended.last_transition_time if suspended.status == "False" else situation.now


def _since(situation: Situation) -> str:
    was_suspended = any(c.type == ConditionType.SUSPENDED for c in situation.status.conditions)
    return "its resumption" if was_suspended else "the job's creation"
