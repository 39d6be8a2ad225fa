"""From stage to stage: keep the living attempt, hold a suspended job, finish when all is done, begin what is next."""

from datetime import datetime

from trivium.api.conditions import ConditionType, Reason
from trivium.api.status import Phase
from trivium.domain.attempt_facts import progress_due_at
from trivium.domain.next_attempt import next_attempt
from trivium.domain.profile import resolve_profile
from trivium.domain.progress_facts import read_progress
from trivium.domain.queueing import not_allowed, resolve_place
from trivium.domain.situation import Situation
from trivium.domain.stop import deadline_failure
from trivium.domain.verdict import Begin, Finish, Hold, Keep, Verdict


def judge_living(situation: Situation) -> Verdict | None:
    """What is left after all that may end an attempt: it goes on."""
    return Keep() if situation.living is not None else None


def judge_completion(situation: Situation) -> Verdict | None:
    """Whether every stage is over, or there is no time left for the next one."""
    if situation.status.stages and situation.stage is None:
        return Finish()
    late = deadline_failure(situation)
    return Finish(failure=late) if late is not None else None


def judge_suspended(situation: Situation) -> Verdict | None:
    """Whether the job is to wait by its owner's wish. It holds nothing."""
    if not situation.job.spec.run_policy.suspend:
        return None
    return Hold(
        phase=Phase.SUSPENDED,
        condition=ConditionType.SUSPENDED,
        status="True",
        reason=Reason.CAPACITY_FREED,
        message="Suspended. Set runPolicy.suspend to false, and it goes on from its newest checkpoint.",
    )


def judge_begin(situation: Situation) -> Verdict | None:
    """Begin the next attempt: nothing stands against it any more."""
    stage, last = situation.stage, situation.last_attempt
    if stage is None or stage.plan is None:
        return None
    profile = resolve_profile(situation, stage=stage.name)
    if isinstance(profile, Hold):
        return profile
    change = next_attempt(situation, stage.plan)
    assert not isinstance(change, str), "judge_final_failure has finished a job that nothing can help"
    place = resolve_place(situation.job, profile, stage=stage.name)
    if isinstance(place, str):
        return not_allowed(place)
    again = last is not None and last.stage == stage.name
    return Begin(
        stage=stage.name,
        plan=change.plan,
        workers=change.workers,
        place=place,
        is_restart=last is not None and again and last.outcome == "Failed",
        skip=change.skip,
        forgive_nodes=change.forgive_nodes,
    )


def progress_at(situation: Situation) -> datetime | None:
    """When the newest report is due to be written for its progress alone."""
    snapshot = situation.observation.report
    if situation.living is None or snapshot is None:
        return None
    status = situation.status
    progress = read_progress(snapshot, status=status, profiles=situation.observation.profiles)
    interval = situation.limits.progress_interval
    due = progress_due_at(status, interval=interval)
    if progress == status.progress or due is None:
        return None
    return min(due, situation.after(situation.now, seconds=interval.total_seconds()))
