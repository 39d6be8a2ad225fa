"""Restarts that no report told of: the last line of the log does, and the budget is charged before anything begins."""

import json

import pytest

from trivium.domain.verdict import Begin, Finish, Hold


def record(**fields):
    values = {
        "outcome": "failed",
        "stage": "train",
        "step": 9,
        "failure": {"class": "Infrastructure", "reason": "Lost"},
    }
    return "Job entrypoint command failed\nTRIVIUM-RECORD " + json.dumps(values | fields)


def ended(case, *, attempt=None, **fields):
    case.planned().attempt(running_at=case.time, **(attempt or {}))
    return case.ray_job("Failed", "FAILED", reason="AppFailed", message=record(**fields))


def budget(status):
    return status.restarts, status.restart_budget.spent


@pytest.mark.parametrize(
    ("fields", "want"),
    [
        ({}, (0, 1)),  # a trainer that does not say it
        ({"restarts": 1}, (0, 1)),  # its own end is the only one
        ({"restarts": 3}, (2, 3)),
        ({"restarts": 3, "preemptions": 1}, (2, 2)),
        ({"restarts": 1, "earlierRestarts": 2}, (0, 3)),
        ({"restarts": 3, "stage": "prepare"}, (0, 1)),
        ({"restarts": 3, "outcome": "stopped", "failure": None}, (3, 4)),  # unasked: its end costs one as well
    ],
)
def test_the_last_line_of_the_log_is_charged_where_no_report_came(case, fields, want):
    status = ended(case, **fields).decide().status
    assert status.attempts[-1].ended_at is not None
    assert budget(status) == want


def test_what_reports_have_told_is_charged_once(case):
    heard = {"restarts": 2, "preemptions": 0}
    ended(case, attempt=heard, restarts=3)
    stages = tuple(one.model_copy(update={"restarts": 2}) if one.name == "train" else one for one in case.status.stages)
    case.record(restarts=2, stages=stages, restart_budget={"spent": 2})
    assert budget(case.decide().status) == (2, 3)


def test_a_last_report_and_the_last_line_are_one_end(case):
    ended(case, restarts=3)
    end = {"outcome": "failed", "stage": "train", "failure": {"class": "Infrastructure", "reason": "Lost"}}
    status = case.reported(restarts=3, step=9, end=end).decide().status
    assert budget(status) == (2, 3)


@pytest.mark.parametrize(("restarts", "verdict"), [(2, Hold), (3, Finish)])
def test_no_attempt_begins_when_unheard_restarts_have_spent_the_budget(case, restarts, verdict):
    case.with_spec(recovery={"maxRestarts": 2})
    case.status = ended(case, restarts=restarts).decide().status
    case.raw["ray_jobs"] = ()
    decision = case.decide()
    assert not isinstance(decision.verdict, Begin)
    assert isinstance(decision.verdict, verdict)


def test_the_end_of_a_complete_stage_is_not_read_for_restarts(case):
    """A stage that was complete before says it again, in the words of the attempt that completed it."""
    status = ended(case, outcome="complete", failure=None, restarts=5).decide().status
    assert budget(status) == (0, 0)
