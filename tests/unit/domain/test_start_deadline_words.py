"""runPolicy.startDeadlineSeconds: when it passes, what meets it, and what is said."""

from datetime import timedelta

import pytest

from trivium.api.failure_classes import FAILURE_POLICIES, FailureClass
from trivium.api.status import Failure
from trivium.domain.start_deadline import judge_start_deadline, start_deadline_at
from trivium.domain.verdict import End, Finish

PLANNED = {"type": "Planned", "status": "True", "reason": "Planned", "lastTransitionTime": "2026-01-01T00:00:30Z"}


def suspended(status):
    moment = "2026-01-01T01:00:00Z"
    return {"type": "Suspended", "status": status, "reason": "Resumed", "message": "", "lastTransitionTime": moment}


def limited(case):
    return case.with_spec(runPolicy={"startDeadlineSeconds": 60})


def too_late(message):
    remedy = FAILURE_POLICIES[FailureClass.DEADLINE].remedy
    reason = "StartDeadlineExceeded"
    return Failure(failure_class=FailureClass.DEADLINE, reason=reason, message=message, remedy=remedy)


CREATED = "runPolicy.startDeadlineSeconds: 60 seconds after the job's creation no attempt has run yet. Last state: "
RESUMED = "runPolicy.startDeadlineSeconds: 60 seconds after its resumption no attempt has run yet. Last state: "


def test_a_job_that_never_began_is_finished_by_its_deadline(case):
    limited(case).record(conditions=(PLANNED,))
    assert judge_start_deadline(case.at(59).situation) is None
    assert judge_start_deadline(case.at(60).situation) == Finish(failure=too_late(f"{CREATED}not started"))


def test_an_attempt_that_does_not_run_is_ended_by_the_deadline(case):
    limited(case).planned().attempt().record(message="It waits.")
    assert judge_start_deadline(case.at(60).situation) == End(outcome="Failed", failure=too_late(f"{CREATED}It waits."))


def test_after_a_suspension_the_deadline_counts_from_the_resumption(case):
    limited(case).record(conditions=(PLANNED, suspended("False")))
    assert judge_start_deadline(case.at(3659).situation) is None
    assert judge_start_deadline(case.at(3660).situation) == Finish(failure=too_late(f"{RESUMED}not started"))


def test_a_resumption_that_status_does_not_show_yet_is_now(case, t0):
    limited(case).record(conditions=(suspended("True"),))
    assert start_deadline_at(case.at(9000).situation) == t0 + timedelta(seconds=9060)


@pytest.mark.parametrize(
    "change",
    [
        lambda case, t0: case.planned().attempt().ray_job(),
        lambda case, t0: case.planned().failed(running_at=t0),
        lambda case, t0: case.with_spec(runPolicy={"startDeadlineSeconds": 60, "suspend": True}),
        lambda case, t0: case.with_spec(runPolicy={}),
        lambda case, t0: case.with_metadata(creationTimestamp=None),
    ],
    ids=["runs", "has run", "suspended", "no deadline", "no creation"],
)
def test_the_deadline_is_of_no_account(case, t0, change):
    change(limited(case), t0)
    assert start_deadline_at(case.at(9000).situation) is None
    assert judge_start_deadline(case.at(9000).situation) is None
