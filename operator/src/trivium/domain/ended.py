"""Whether the living attempt is over: its processes ended, its RayJob is gone, or it could not be created at all."""

from datetime import datetime

from trivium.api.failure_reasons import FailureReason
from trivium.domain.failure_of import conclude, own_failure
from trivium.domain.ray_job_state import ENDED, AttemptState
from trivium.domain.situation import Situation
from trivium.domain.verdict import End, Verdict

LAST_WORD_GRACE_SECONDS = 420.0
"""From the trainer's final report to the end of its RayJob: the driver exits at once, KubeRay may wait 300 s for its
submitter. After that the attempt is over whatever KubeRay says, so that a lost submitter holds no GPU.
"""


def judge_ended(situation: Situation) -> Verdict | None:
    """The end of the attempt, to be recorded before anything of it is deleted."""
    attempt, observation = situation.living, situation.observation
    if attempt is None:
        return None
    if observation.refusal is not None:
        message = f"The API server refused the attempt's objects: {observation.refusal}"
        return End(outcome="Failed", failure=own_failure(FailureReason.CREATION_REFUSED, message))
    if observation.state in ENDED:
        return conclude(situation, attempt)
    if observation.state is AttemptState.ABSENT and attempt.ray_job_uid:
        return conclude(situation, attempt)
    due = last_word_due_at(situation)
    return conclude(situation, attempt) if due is not None and due <= situation.now else None


def last_word_due_at(situation: Situation) -> datetime | None:
    """When an attempt that has said its last word is over anyway."""
    attempt, progress = situation.living, situation.status.progress
    if attempt is None or attempt.outcome is None or progress is None or progress.updated_at is None:
        return None
    return situation.after(progress.updated_at, seconds=LAST_WORD_GRACE_SECONDS)
