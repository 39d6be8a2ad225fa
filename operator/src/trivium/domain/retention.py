"""After the end: nothing starts again, leftovers go, and the job itself when ttlSecondsAfterFinished has passed."""

from datetime import datetime

from trivium.api.conditions import ConditionType
from trivium.api.status import JobStatus
from trivium.domain.conditions import is_true
from trivium.domain.situation import Situation
from trivium.domain.verdict import Rest, Verdict


def is_over(status: JobStatus) -> bool:
    """Succeeded and Failed are final."""
    return is_true(status.conditions, ConditionType.SUCCEEDED) or is_true(status.conditions, ConditionType.FAILED)


def judge_rest(situation: Situation) -> Verdict | None:
    """Whether the job was over before this pass."""
    return Rest(expires_at=_expires_at(situation)) if is_over(situation.status) else None


def _expires_at(situation: Situation) -> datetime | None:
    ttl, ended_at = situation.job.spec.run_policy.ttl_seconds_after_finished, situation.status.ended_at
    return None if ttl is None or ended_at is None else situation.after(ended_at, seconds=ttl)
