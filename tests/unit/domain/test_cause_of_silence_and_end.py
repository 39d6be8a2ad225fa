"""Silence, standstill and last words without an end: the very moment, and what is said of it."""

from datetime import timedelta

import pytest

from trivium.api.failure_classes import FAILURE_POLICIES, FailureClass
from trivium.api.status import Failure
from trivium.domain.end_record import EndRecord, parse_end_record
from trivium.domain.ended import judge_ended
from trivium.domain.silence import judge_silence, silence_due_at
from trivium.domain.verdict import End


def failed(failure_class, reason, message):
    remedy = FAILURE_POLICIES[FailureClass(failure_class)].remedy
    failure = Failure(failure_class=failure_class, reason=reason, message=message, remedy=remedy)
    return End(outcome="Failed", failure=failure)


SILENT = failed("Hang", "Silent", "No report of the trainer arrived for ten times recovery.hangTimeoutSeconds.")
STANDS = failed(
    "Hang", "NoProgress", "The trainer reports, but its activity step at step 5 has not moved for too long."
)


def running(case, t0):
    return case.with_spec(recovery={"hangTimeoutSeconds": 60}).planned().attempt(running_at=t0).ray_job()


def test_a_trainer_that_never_reports_is_silent_at_ten_time_outs(case, t0):
    running(case, t0)
    assert judge_silence(case.at(599).situation) is None
    assert judge_silence(case.at(600).situation) == SILENT


def test_a_trainer_that_fell_silent_is_silent_at_ten_time_outs_after_its_report(case, t0):
    running(case, t0).reported(activity="step", step=5)
    assert judge_silence(case.at(599).situation) is None
    assert judge_silence(case.at(600).situation) == SILENT


def test_a_trainer_that_reports_and_does_not_move_stands_at_two(case, t0):
    running(case, t0).reported(activity="step", step=5, received=130, advanced=0)
    assert judge_silence(case.at(130).situation) == STANDS


@pytest.mark.parametrize(("seconds", "since"), [(100, 100), (101, 0), (200, 0)])
def test_what_was_heard_in_the_future_counts_from_the_listening(case, t0, seconds, since):
    running(case, t0).reported(received=seconds, advanced=seconds)
    assert silence_due_at(case.at(100).situation) == t0 + timedelta(seconds=since + 600)


@pytest.mark.parametrize(
    ("state", "has_run", "expected"),
    [("Initializing", False, False), ("Initializing", True, True), ("Suspended", True, False)],
)
def test_only_of_who_has_run_once_something_is_expected_while_it_starts(case, t0, state, has_run, expected):
    case.planned().attempt(running_at=t0 if has_run else None).ray_job(state, "")
    assert (silence_due_at(case.situation) is not None) is expected


def test_a_last_word_ends_the_attempt_seven_minutes_later_whatever_kuberay_says(case, t0):
    case.planned().attempt(outcome="Complete").ray_job().record(progress={"updatedAt": t0})
    assert judge_ended(case.at(419).situation) is None
    assert judge_ended(case.at(420).situation) == End(outcome="Complete")


def test_without_a_last_word_or_its_time_nothing_is_over(new_case, t0):
    assert judge_ended(new_case().planned().attempt().ray_job().at(9000).situation) is None
    case = new_case().planned().attempt(outcome="Complete").ray_job().record(progress={"step": 1})
    assert judge_ended(case.at(9000).situation) is None


def test_an_attempt_whose_objects_were_refused_is_over(case):
    case.planned().attempt().observed(refusal="exceeded quota")
    message = "The API server refused the attempt's objects: exceeded quota"
    assert judge_ended(case.situation) == failed("Infrastructure", "CreationRefused", message)


@pytest.mark.parametrize(
    ("outcome", "stage", "want"),
    [
        ("complete", "train", True),
        ("failed", "train", True),
        ("failed", "prepare", False),
        ("failed", "unknown", True),
        ("complete", "unknown", False),
        ("stopped", "prepare", False),
    ],
)
def test_a_record_speaks_of_its_stage_and_a_failure_may_not_know_its_own(outcome, stage, want):
    assert EndRecord(outcome=outcome, stage=stage).speaks_of("train") is want


def test_a_record_is_one_line():
    assert parse_end_record('TRIVIUM-RECORD {"outcome":"complete",\n"stage":"train"}\nlast line') is None
