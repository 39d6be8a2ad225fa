"""A job that is being deleted gets no new child and no new status; its children go by their owner references."""

from trivium.domain.situation import Situation
from trivium.domain.verdict import Leave, Verdict


def judge_deletion(situation: Situation) -> Verdict | None:
    """Leave alone what is being deleted: no child is made for it any more."""
    return Leave() if situation.job.metadata.deletion_timestamp is not None else None
