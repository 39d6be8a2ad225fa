"""The restart budget: both layers spend it, healthy progress refills it, preemptions are free wherever they happen."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivium.api.status import Attempt, Failure, JobStatus, RestartBudget
from trivium.domain.budget import charge, healthy_seconds, remaining_at_start, settle

WINDOW = 3600


def attempt(t0, *, running=0, steps=10, outcome=None, failure_class=None, **fields):
    failure = Failure(failure_class=failure_class, reason="R", message="m") if failure_class else None
    began = None if running is None else t0 + timedelta(seconds=running)
    return Attempt(
        number=1, stage="train", ray_job="r", started_at=t0, running_at=began, last_step=steps, outcome=outcome,
        failure=failure, **fields,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("spent", "healthy", "last_failure", "running", "steps", "now", "want"),
    [
        (3, 0, None, 0, 10, 100, 4),
        (3, 0, None, 0, 10, 3600, 1),
        (3, 3500, None, 0, 10, 100, 1),  # earlier attempts, that were preempted, count too
        (3, 3500, None, 0, 0, 100, 4),  # but not one that made no step
        (3, 0, 3000, 0, 10, 3600, 4),  # a restart inside it failed meanwhile
        (3, 0, None, None, 0, 9999, 4),  # it never ran
        (3, 0, None, 0, 10, -500, 4),  # the clock went back
    ],
)
def test_a_counted_failure_costs_one_restart_or_the_first_of_a_full_budget(
    t0, spent, healthy, last_failure, running, steps, now, want
):
    at = None if last_failure is None else t0 + timedelta(seconds=last_failure)
    budget = RestartBudget(spent=spent, healthy_seconds=healthy, last_failure_at=at)
    one = attempt(t0, running=running, steps=steps)
    charged = charge(budget, one, restarts=1, window_seconds=WINDOW, now=t0 + timedelta(seconds=now))
    assert (charged.spent, charged.healthy_seconds) == (want, 0)


@pytest.mark.parametrize(
    ("outcome", "failure_class", "spent", "healthy"),
    [
        ("Failed", "Infrastructure", 3, 0),
        ("Failed", "Diverged", 3, 0),
        ("Failed", "Preempted", 2, 600),
        ("Failed", "Unschedulable", 2, 600),
        ("Stopped", None, 2, 600),
        ("Complete", None, 2, 600),
    ],
)
def test_every_end_either_costs_or_adds_to_the_health(t0, outcome, failure_class, spent, healthy):
    one = attempt(t0, outcome=outcome, failure_class=failure_class)
    budget = settle(RestartBudget(spent=2), one, window_seconds=WINDOW, now=t0 + timedelta(seconds=600))
    assert (budget.spent, budget.healthy_seconds) == (spent, healthy)


@given(st.integers(-10_000, 10_000), st.integers(-10_000, 10_000), st.integers(0, 5))
def test_health_is_never_negative_whatever_the_clock_does(running, now, steps):
    from datetime import UTC, datetime

    t0 = datetime(2026, 1, 1, tzinfo=UTC)
    one = attempt(t0, running=running, steps=steps)
    assert healthy_seconds(RestartBudget(), one, until=t0 + timedelta(seconds=now)) >= 0


def left(case):
    """What the reporting driver is answered: restarts that it may make, counted from its beginning."""
    return remaining_at_start(case.job, case.status, case.status.attempts[-1], case.raw["report"].report)


@pytest.mark.parametrize(
    ("reports", "spent", "restarts", "remaining"),
    [
        ([{"restarts": 0}], 0, 0, 5),
        ([{"restarts": 2}], 2, 2, 5),  # the trainer subtracts its own: an answer that is repeated says the same
        ([{"restarts": 2, "preemptions": 2}], 0, 2, 5),
        ([{"restarts": 3, "preemptions": 1}], 2, 3, 5),
        ([{"restarts": 1}, {"restarts": 2, "preemptions": 1}, {"restarts": 2, "preemptions": 1}], 1, 2, 5),
        ([{"restarts": 1, "preemptions": 9}], 0, 1, 5),  # more than there were restarts is not believed
    ],
)
def test_restarts_inside_an_attempt_share_the_budget_and_preemptions_are_free(
    case, reports, spent, restarts, remaining
):
    case.planned().attempt().ray_job()
    for number, said in enumerate(reports, start=1):
        case.reported(step=number, received=10 * number, sequence=number, **said)
        case.status = case.at(10 * number).decide().status
    assert (case.status.restart_budget.spent, case.status.restarts) == (spent, restarts)
    assert left(case) == remaining


def test_what_earlier_attempts_spent_is_not_left(case):
    case.planned().failed().attempt(number=2).record(restart_budget={"spent": 4}).reported()
    assert left(case) == 1
    case.record(restart_budget={"spent": 9})
    assert left(case) == 0


def test_the_preemption_that_ends_an_attempt_is_not_taken_for_one_inside_it(case):
    end = {"outcome": "failed", "stage": "train", "failure": {"class": "Preempted", "reason": "Drained"}}
    case.planned().attempt().ray_job("Failed", "FAILED")
    case.reported(step=2, restarts=2, preemptions=1, end=end)
    case.status = case.decide().status
    last = case.status.attempts[-1]
    assert (last.restarts, last.preemptions, case.status.restart_budget.spent) == (1, 0, 1)


def test_an_answer_needs_no_stages_in_status(case):
    report = case.reported().raw["report"].report
    assert remaining_at_start(case.job, JobStatus(), attempt(case.time), report) == 5


@pytest.mark.parametrize(
    ("heard", "own", "said", "spent", "remaining"),
    [
        (0, 0, {"earlier_restarts": 3}, 5, 0),  # nothing was heard of the attempt before
        (1, 0, {"earlier_restarts": 3}, 4, 1),  # of one of its three restarts
        (3, 0, {"earlier_restarts": 3}, 2, 3),  # of all
        (3, 0, {"earlier_restarts": 0}, 2, 3),  # the ledger was lost: what was heard holds
        (3, 0, {"earlier_restarts": 0, "restarts": 1}, 3, 3),
        (2, 2, {"earlier_restarts": 2}, 2, 3),  # a second driver of the same attempt has restarted nothing yet
        (2, 2, {"earlier_restarts": 2, "restarts": 1}, 3, 3),
    ],
)
def test_restarts_that_nobody_heard_of_are_charged_when_the_ledger_tells_of_them(
    case, heard, own, said, spent, remaining
):
    """Of five restarts two are spent when the report comes."""
    case.planned().failed().attempt(number=2, restarts=own, running_at=case.time).ray_job(name="a-train-2")
    case.record(
        restart_budget={"spent": 2},
        stages=[stage.model_copy(update={"restarts": heard}) for stage in case.status.stages],
    )
    case.reported(step=1, **said)
    assert left(case) == remaining, "answered before it is recorded"
    case.status = case.decide().status
    assert case.status.restart_budget.spent == spent
    assert left(case) == remaining, "and after"
    again = case.decide().status
    assert again.restart_budget.spent == spent


def test_restarts_told_of_late_do_not_wait_for_the_next_progress_write(case):
    case.planned().failed().attempt(number=2, running_at=case.time).ray_job(name="a-train-2")
    case.record(progress={"updated_at": case.time, "step": 1}).reported(step=1, earlier_restarts=2)
    assert case.decide().status.restart_budget.spent == 2
