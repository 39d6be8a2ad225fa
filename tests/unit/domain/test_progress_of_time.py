"""Time by kind at its edges: rounding, tiny parts, steps that are lost, and goodput."""

from datetime import timedelta

import pytest

from trivium.api.status import Attempt
from trivium.domain.report import ProgressReport
from trivium.domain.time_spent import add_time, goodput, held_seconds, read_seconds, time_of, undo_steps


def attempt(t0, *, running=0.0, **fields):
    running_at = t0 + timedelta(seconds=running)
    return Attempt(
        **({"number": 1, "stage": "train", "ray_job": "r", "started_at": t0, "running_at": running_at} | fields)
    )


def test_times_are_kept_to_a_tenth_and_tiny_ones_not_at_all():
    said = {"step": 60.26, "save": 0.05, "compile": 0.04, "start": 0.5}
    report = ProgressReport(
        api_version="progress.trivium.dev/v1alpha1", job_uid="u", stage="train", sequence=1, seconds=said
    )
    assert read_seconds(report) == {"save": 0.1, "start": 0.5, "step": 60.3}


def test_waiting_for_quota_holds_nothing(t0):
    until = t0 + timedelta(seconds=30)
    assert held_seconds(attempt(t0, queued=True), until=until) == 0
    assert held_seconds(attempt(t0, queued=True, admitted_at=t0 + timedelta(seconds=10)), until=until) == 20


@pytest.mark.parametrize(
    ("seconds", "until", "want"),
    [
        ({"other": 4.0, "step": 6.0}, 20, {"other": 14.0, "step": 6.0}),
        ({"step": 0.5}, 20, {"step": 0.5, "other": 19.5}),
        ({"step": 5.26}, 20, {"step": 5.3, "other": 14.7}),
        ({"step": 0.05}, 20, {"step": 0.1, "other": 19.9}),
        ({"step": 0.0}, 20, {"other": 20.0}),
    ],
)
def test_the_time_of_an_attempt_is_told_to_a_tenth(t0, seconds, until, want):
    parts = time_of(attempt(t0, seconds=seconds), until=t0 + timedelta(seconds=until))
    assert parts == want


@pytest.mark.parametrize(
    ("parts", "first", "last", "resume", "want"),
    [
        ({"step": 10.0}, 0, 1, 0, {"wasted": 10.0}),
        ({"step": 10.0}, 0, 4, 3, {"step": 7.5, "wasted": 2.5}),
        ({"step": 10.0, "wasted": 1.0}, 0, 4, 3, {"step": 7.5, "wasted": 3.5}),
        ({"step": 10.0, "save": 0.05}, 0, 3, 2, {"step": 6.7, "save": 0.1, "wasted": 3.3}),
        ({"step": 1.0}, 0, 2, 1, {"step": 0.5, "wasted": 0.5}),
        ({"step": 10.0}, 5, 5, 5, {"step": 10.0}),
        ({"step": 10.0}, 0, 4, 4, {"step": 10.0}),
        ({"save": 3.0}, 0, 4, 0, {"save": 3.0}),
    ],
)
def test_each_lost_step_wastes_its_part(t0, parts, first, last, resume, want):
    assert undo_steps(parts, attempt(t0, first_step=first, last_step=last), resume_step=resume) == want


def test_time_without_a_loss_is_not_rounded_again(t0):
    assert undo_steps({"step": 1.23}, attempt(t0, last_step=4), resume_step=4) == {"step": 1.23}


def test_sums_are_told_to_a_tenth():
    assert add_time({"step": 1.02}, {"step": 2.04, "save": 0.26}) == {"save": 0.3, "step": 3.1}


@pytest.mark.parametrize(
    ("stage", "ended", "want"),
    [("train", None, 0.667), ("prepare", None, 1.0), ("train", 3, 1.0)],
)
def test_goodput_counts_the_living_training_attempt_and_no_other(case, t0, stage, ended, want):
    end = {} if ended is None else {"ended_at": t0 + timedelta(seconds=ended), "outcome": "Failed"}
    case.planned().attempt(stage=stage, running_at=t0, **end).record(seconds={"step": 6.0})
    assert goodput(case.status, until=t0 + timedelta(seconds=3)) == want


def test_goodput_without_attempts_is_of_what_was_recorded(case, t0):
    case.record(seconds={"step": 0.25, "save": 0.25})
    assert goodput(case.status, until=t0) == 0.5


@pytest.mark.parametrize(
    ("tokens", "speed", "held", "want"),
    [
        (100, 10, 30, 0.333),
        (100, 10, 5, 1.0),
        (5, 10, 1, 0.5),
        (100, 10, 0, 0.125),
        (0, 10, 30, 0.125),
        (100, None, 30, 0.125),
        (100, 0, 30, 0.125),
    ],
)
def test_goodput_by_tokens_needs_tokens_a_speed_and_time(case, t0, tokens, speed, held, want):
    case.planned().attempt(running_at=t0)
    case.record(progress={"tokens": tokens, "tokens_per_second": speed}, goodput=0.125)
    assert goodput(case.status, until=t0 + timedelta(seconds=held)) == want
