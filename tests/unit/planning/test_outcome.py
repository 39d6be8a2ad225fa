"""What a finished stage took: from the seconds by kind that status holds."""

from datetime import UTC, datetime

import pytest

from trivium.api.plan_status import Plan
from trivium.api.status import Attempt, JobStatus, Progress
from trivium.planning import measure_outcome

PLAN = Plan(
    profile="h100",
    workers=2,
    gpus_per_worker=8,
    gpus=16,
    precision="bfloat16",
    parameters=8_000_000_000,
    flops_per_step=16e15,
    total_steps=1000,
    checkpoint_seconds=900.0,
)
SECONDS = {
    "start": 100.0,
    "download": 20.0,
    "compile": 30.0,
    "restore": 10.0,
    "step": 4000.0,
    "save": 50.0,
    "evaluate": 300.0,
    "sample": 40.0,
    "wasted": 100.0,
    "other": 25.0,
}


def _attempts(*stages):
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return tuple(Attempt(number=number, stage=stage, ray_job=f"a-{number}", started_at=at) for number, stage in stages)


def _status(**changes):
    fields = {
        "seconds": SECONDS,
        "attempts": _attempts((1, "prepare"), (2, "train"), (3, "train")),
        "progress": Progress(tokens=8_000_000),
        "restarts": 1,
        "gpu_seconds": 36_000.0,
        "cost": 25.0,
        **changes,
    }
    return JobStatus(**fields)


def _outcome(make_job, *, status=None, plan=PLAN, profile=None, memory_bytes=None, **spec):
    return measure_outcome(
        make_job("SFTJob", **spec), status=status or _status(), plan=plan, profile=profile, memory_bytes=memory_bytes
    )


def test_times_come_from_the_seconds_by_kind(make_job, make_profile):
    outcome = _outcome(make_job, profile=make_profile("h100"), memory_bytes=70 * 2**30)
    # step + save + evaluate + sample + wasted + restore; what comes before the first step is the start's.
    assert outcome.seconds == 4000 + 50 + 300 + 40 + 100 + 10
    assert outcome.start_seconds == (100 + 20 + 30) / 2, "two attempts trained"
    assert (outcome.steps, outcome.step_seconds) == (1000, 4.0)
    assert outcome.tokens_per_second == 2000
    # 16e15 FLOPs in 4 s on 16 GPUs of 989 TFLOPS.
    assert outcome.mfu == pytest.approx(16e15 / 4 / 16 / 989e12, abs=1e-4)
    assert (outcome.interruptions, outcome.gpu_hours, outcome.cost) == (1, 10.0, 25.0)
    assert outcome.memory_bytes == 70 * 2**30


# (the job's interval, saves in 4,500 s and 1,000 steps; the one at the end included)
SAVES = [
    ({}, 6),  # every 900 s by the plan
    ({"steps": 100}, 10),
    ({"minutes": 10}, 8),
    ({"steps": 500, "minutes": 10}, 8),
    ({"steps": 100_000}, 1),
    ({"steps": 3}, 333),
    ({"minutes": 1}, 76),
]


@pytest.mark.parametrize(("every", "saves"), SAVES)
def test_the_time_of_a_save_is_that_of_all_by_their_number(make_job, every, saves):
    outcome = _outcome(make_job, storage={"checkpoints": {"every": every}} if every else {})
    assert outcome.save_seconds == pytest.approx(50 / saves, abs=1e-3)


def test_numbers_are_rounded_to_what_they_are_worth(make_job, make_profile):
    fine = {"start": 100.123, "step": 1234.56789, "save": 50.12345}
    status = _status(seconds=fine, gpu_seconds=1234.5678, progress=Progress(tokens=8_000_001))
    outcome = _outcome(make_job, status=status, profile=make_profile("h100"))
    assert outcome.seconds == 1284.7  # to a tenth
    assert outcome.start_seconds == 50.1
    assert outcome.step_seconds == 1.234568  # to a microsecond
    assert outcome.save_seconds == 25.062  # two saves: one after 900 s, one at the end
    assert outcome.gpu_hours == 0.343
    assert outcome.tokens_per_second == 6480  # to four digits
    assert outcome.mfu == 0.819  # 16e15 / 1.23456789 / 16 / 989e12 = 0.81900


def test_a_run_shorter_than_a_second_has_an_outcome_too(make_job):
    assert _outcome(make_job, status=_status(seconds={"step": 0.5})).seconds == 0.5


def test_without_time_in_steps_there_is_no_speed(make_job, make_profile):
    outcome = _outcome(make_job, status=_status(seconds={"save": 5.0}), profile=make_profile("h100"))
    assert (outcome.seconds, outcome.step_seconds, outcome.tokens_per_second, outcome.mfu) == (5.0, None, None, None)
    unknown = PLAN.model_copy(update={"flops_per_step": None})
    assert _outcome(make_job, plan=unknown, profile=make_profile("h100")).mfu is None


def test_an_attempt_that_was_dropped_from_status_is_still_one(make_job):
    assert _outcome(make_job, status=_status(attempts=())).start_seconds == 150.0


def test_what_was_not_told_is_left_out(make_job, make_profile):
    bare = _outcome(make_job, status=_status(seconds={"step": 10.0}, progress=None, cost=None))
    assert (bare.seconds, bare.start_seconds, bare.save_seconds, bare.tokens_per_second) == (10.0, None, None, None)
    assert (bare.mfu, bare.cost, bare.memory_bytes) == (None, None, None)
    assert _outcome(make_job, profile=make_profile("cpu")).mfu is None
    laptop = _outcome(make_job, plan=PLAN.model_copy(update={"gpus": 0, "gpus_per_worker": 0}))
    assert laptop.gpu_hours is None


@pytest.mark.parametrize("seconds", [{}, {"start": 100.0, "other": 5.0}])
def test_a_trainer_that_told_no_times_leaves_no_outcome(make_job, seconds):
    assert _outcome(make_job, status=_status(seconds=seconds)) is None


def test_a_plan_without_steps_leaves_no_outcome(make_job):
    assert _outcome(make_job, plan=PLAN.model_copy(update={"total_steps": 0})) is None


# Attempts are numbered over the life of the job; only the last ten are kept.
ATTEMPTS = [
    (((1, "prepare"), (2, "train")), 1),
    (((1, "prepare"), (2, "prepare"), (3, "train"), (4, "train")), 2),
    (tuple((number, "train") for number in range(11, 21)), 19),
]


@pytest.mark.parametrize(("attempts", "trained"), ATTEMPTS)
def test_the_start_is_the_mean_of_the_attempts_that_trained(make_job, attempts, trained):
    outcome = _outcome(make_job, status=_status(attempts=_attempts(*attempts)))
    assert outcome.start_seconds == pytest.approx(150 / trained, abs=0.1)
