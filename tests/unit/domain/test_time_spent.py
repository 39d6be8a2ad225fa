"""Goodput and badput: what the time of training attempts went into, and what the GPUs cost meanwhile."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivium.api.status import Attempt
from trivium.domain.report import SECONDS_KINDS, ProgressReport
from trivium.domain.time_spent import add_time, goodput, read_seconds, time_of, undo_steps


def attempt(t0, *, running=10, first=0, last=0, **seconds):
    return Attempt(
        number=1,
        stage="train",
        ray_job="r",
        started_at=t0,
        running_at=None if running is None else t0 + timedelta(seconds=running),
        first_step=first,
        last_step=last,
        seconds=seconds,
    )


@pytest.mark.parametrize(
    ("running", "seconds", "until", "want"),
    [
        (None, {}, 30, {"start": 30}),
        (10, {}, 30, {"start": 10, "other": 20}),
        (10, {"step": 60, "save": 20, "start": 5}, 100, {"start": 15, "step": 60, "save": 20, "other": 5}),
        (10, {"step": 900}, 100, {"start": 10, "step": 90}),  # it exaggerates, or the clock jumped
        (10, {"step": 60}, 5, {"start": 5}),
        (10, {"step": 60}, -100, {}),
        (-100, {"step": 60}, 100, {"step": 60, "other": 40}),
    ],
)
def test_the_parts_are_what_was_held(t0, running, seconds, until, want):
    parts = time_of(attempt(t0, running=running, **seconds), until=t0 + timedelta(seconds=until))
    assert parts == want
    assert sum(parts.values()) == max(0, until)


@pytest.mark.parametrize(
    ("first", "last", "resume", "want"),
    [
        (0, 20, 20, {"step": 60}),
        (0, 20, 15, {"step": 45, "wasted": 15}),
        (10, 20, 0, {"wasted": 60}),  # a rollback behind its beginning: all of its own steps
        (10, 10, 0, {"step": 60}),
        (10, 20, 30, {"step": 60}),
    ],
)
def test_steps_that_are_lost_are_no_goodput(t0, first, last, resume, want):
    one = attempt(t0, first=first, last=last)
    assert undo_steps({"step": 60}, one, resume_step=resume) == want


@given(
    st.integers(0, 10_000),
    st.none() | st.integers(-100, 10_000),
    st.dictionaries(st.sampled_from(sorted(SECONDS_KINDS)), st.floats(0, 1e6)),
)
def test_never_more_and_never_less_than_was_held(held, running, seconds):
    from datetime import UTC, datetime

    t0 = datetime(2026, 1, 1, tzinfo=UTC)
    parts = time_of(attempt(t0, running=running, **seconds), until=t0 + timedelta(seconds=held))
    assert all(value > 0 for value in parts.values())
    assert sum(parts.values()) == pytest.approx(held, abs=1)


def test_kinds_that_this_version_does_not_know_count_as_other():
    raw = {"step": 60.04, "dreaming": 7, "save": float("nan"), "start": -1, "evaluate": "x", "compile": 0.0}
    report = ProgressReport.model_validate(
        {
            "apiVersion": "progress.trivium.dev/v1alpha1",
            "jobUid": "u",
            "stage": "train",
            "sequence": 1,
            "seconds": raw,
        }
    )
    assert read_seconds(report) == {"step": 60.0, "other": 7.0}


def test_the_living_attempt_is_part_of_goodput(case, t0):
    case.planned().attempt(running_at=t0, seconds={"step": 30}).record(seconds={"step": 60, "start": 20})
    assert goodput(case.status, until=t0 + timedelta(seconds=40)) == 0.75


def test_a_trainer_that_does_not_say_is_judged_by_its_tokens(case, t0):
    case.planned().attempt(running_at=t0).record(progress={"tokens": 500, "tokens_per_second": 10})
    assert goodput(case.status, until=t0 + timedelta(seconds=100)) == 0.5


def test_the_end_of_an_attempt_adds_its_time_its_gpus_and_their_cost(case, t0):
    case.planned(gpus_per_worker=4).attempt(gpus=4, running_at=t0 + timedelta(seconds=600))
    case.record(price_per_gpu_hour=2.5, seconds={"step": 100})
    case.ray_job("Failed", "FAILED").reported(step=20, received=3500, seconds={"step": 2400, "save": 300})
    status = case.at(3600).decide().status
    # No checkpoint: all twenty steps will be trained again.
    assert status.seconds == {"other": 300, "save": 300, "start": 600, "step": 100, "wasted": 2400}
    assert (status.gpu_seconds, status.cost) == (4 * 3600, 10.0)
    assert status.goodput == round(100 / 3700, 3)


def test_only_training_counts(case):
    case.planned(stage="prepare").attempt(stage="prepare").ray_job("Failed", "FAILED", name="a-prepare-1")
    assert case.at(100).decide().status.seconds == {}


def test_the_price_is_the_one_of_the_day_of_the_plan(case):
    profile = {**case.raw["profiles"][0]}
    profile["spec"] = {**profile["spec"], "pricePerGPUHour": 2.5}
    case.status = case.observed(profiles=(profile,)).decide().status
    assert case.status.price_per_gpu_hour == 2.5
    profile["spec"] = {**profile["spec"], "pricePerGPUHour": 99}
    assert case.observed(profiles=(profile,)).at(5).decide().status.price_per_gpu_hour == 2.5


def test_a_jump_of_the_clock_back_makes_no_attempt_end_before_it_began(case, t0):
    case.planned().attempt(gpus=4).ray_job("Failed", "FAILED")
    status = case.at(-500).decide().status
    assert status.attempts[-1].ended_at == t0
    assert (status.active_seconds, status.gpu_seconds) == (0, 0)


def test_sums_keep_every_kind():
    assert add_time({"step": 1.0}, {"save": 2.0, "step": 0.5}) == {"save": 2.0, "step": 1.5}
