"""Counters and histograms: each comes from one difference between two statuses, once."""

import pytest

from trivium.api.status import JobStatus
from trivium.handlers.metrics.changes import changes_between
from trivium.ports import ObjectKey

KEY = ObjectKey(kind="SFTJob", namespace="team", name="a")


def at(minute):
    return f"2026-01-01T10:{minute:02}:00Z"


def attempt(number=1, **fields):
    return {"number": number, "stage": "train", "rayJob": "r", "startedAt": at(0), **fields}


def failure(failure_class="Hang"):
    return {"class": failure_class, "reason": "Stuck", "message": "It hangs."}


def condition(reason, *, status="False", kind="Accepted"):
    return {"type": kind, "status": status, "reason": reason, "message": "m", "lastTransitionTime": at(0)}


def stage(**fields):
    return {"name": "train", "state": "Running", **fields}


def checkpoint(step, *kept):
    return {"step": step, "uri": "u", "at": at(0), "kept": list(kept)}


def told(old, new):
    changes = changes_between(KEY, old=JobStatus.model_validate(old), new=JobStatus.model_validate(new))
    return {(c.family.name.removeprefix("trivium_"), *c.labels): c.amount for c in changes}


FAILED = attempt(runningAt=at(1), endedAt=at(9), outcome="Failed", failure=failure())


@pytest.mark.parametrize(
    ("old", "new", "want"),
    [
        ({}, {}, {}),
        ({"phase": "Running"}, {"phase": "Running", "message": "x"}, {}),
        ({}, {"phase": "Queued"}, {("job_transitions_total", "SFTJob", "Queued"): 1}),
        (
            {},
            {"conditions": [condition("InvalidSpec"), condition("Provisional", status="True", kind="Planned")]},
            {("job_refusals_total", "SFTJob", "InvalidSpec"): 1},
        ),
        ({"conditions": [condition("InvalidSpec")]}, {"conditions": [condition("InvalidSpec")]}, {}),
        ({}, {"conditions": [condition("UpstreamNotFound", kind="UpstreamReady")]}, {}),
        (
            {"gpuSeconds": 100.0, "cost": 1.0},
            {"gpuSeconds": 250.0, "cost": 2.5},
            {("gpu_seconds_total", "team", "SFTJob"): 150, ("cost_total", "team", "SFTJob"): 1.5},
        ),
        (
            {"seconds": {"step": 10.0, "save": 2.0}},
            {"seconds": {"step": 70.0, "save": 2.0, "wasted": 5.0}},
            {
                ("goodput_seconds_total", "team", "SFTJob"): 60,
                ("badput_seconds_total", "team", "SFTJob", "wasted"): 5,
            },
        ),
        ({"gpuSeconds": 100.0}, {"gpuSeconds": 90.0}, {}),
        # Queue and start
        (
            {"attempts": [attempt(queued=True)]},
            {"attempts": [attempt(queued=True, admittedAt=at(3))]},
            {("queue_wait_seconds", "team", "SFTJob"): 180},
        ),
        (
            {"attempts": [attempt(queued=True, admittedAt=at(3))]},
            {"attempts": [attempt(queued=True, admittedAt=at(3), runningAt=at(5))]},
            {("start_seconds", "SFTJob", "train"): 120},
        ),
        (
            {"attempts": [attempt()]},
            {"attempts": [attempt(runningAt=at(5))]},
            {("start_seconds", "SFTJob", "train"): 300},
        ),
        ({}, {"attempts": [attempt()]}, {}),
        # Ends and restarts
        (
            {"attempts": [attempt(runningAt=at(1))], "progress": {"updatedAt": at(7)}},
            {"attempts": [FAILED]},
            {("attempts_ended_total", "SFTJob", "train", "Hang"): 1, ("detect_seconds", "Hang"): 120},
        ),
        (
            {"attempts": [attempt()]},
            {"attempts": [attempt(endedAt=at(9), outcome="Failed", failure=failure("ImagePull"))]},
            {("attempts_ended_total", "SFTJob", "train", "ImagePull"): 1},
        ),
        (
            {"attempts": [attempt(runningAt=at(1))], "progress": {"updatedAt": at(7)}},
            {"attempts": [attempt(runningAt=at(1), endedAt=at(9), outcome="Complete")]},
            {("attempts_ended_total", "SFTJob", "train", "Complete"): 1},
        ),
        (
            {"attempts": [FAILED]},
            {"attempts": [FAILED, attempt(2, startedAt=at(10))]},
            {("job_restarts_total", "SFTJob", "Hang"): 1},
        ),
        ({"attempts": [FAILED, attempt(2)]}, {"attempts": [FAILED, attempt(2, lastStep=3)]}, {}),
        (
            {"attempts": [attempt(endedAt=at(9), outcome="Stopped")]},
            {"attempts": [attempt(endedAt=at(9), outcome="Stopped"), attempt(2)]},
            {},
        ),
        (
            {"attempts": [FAILED, attempt(2, startedAt=at(10))]},
            {"attempts": [FAILED, attempt(2, startedAt=at(10), runningAt=at(13))]},
            {("start_seconds", "SFTJob", "train"): 180, ("restart_seconds", "SFTJob", "Hang"): 240},
        ),
        (
            {"attempts": [attempt(restarts=1)]},
            {"attempts": [attempt(restarts=4, preemptions=1)]},
            {
                ("job_restarts_total", "SFTJob", "WorkersRestarted"): 2,
                ("job_restarts_total", "SFTJob", "Preempted"): 1,
            },
        ),
        # Two ends in one write, as of an attempt whose RayJob Kueue started again
        (
            {"attempts": [attempt()]},
            {"attempts": [attempt(endedAt=at(2), outcome="Failed", failure=failure("Preempted")), attempt(2)]},
            {
                ("attempts_ended_total", "SFTJob", "train", "Preempted"): 1,
                ("job_restarts_total", "SFTJob", "Preempted"): 1,
            },
        ),
        # The first step
        (
            {"attempts": [attempt()], "stage": "train", "startedAt": at(0), "progress": {"step": 0}},
            {
                "attempts": [attempt()],
                "stage": "train",
                "startedAt": at(0),
                "progress": {"step": 3, "updatedAt": at(8)},
            },
            {("time_to_first_step_seconds", "SFTJob"): 480},
        ),
        (
            {"attempts": [attempt()], "stage": "train", "startedAt": at(0), "progress": {"step": 3}},
            {
                "attempts": [attempt()],
                "stage": "train",
                "startedAt": at(0),
                "progress": {"step": 4, "updatedAt": at(8)},
            },
            {},
        ),
        (
            {"attempts": [FAILED, attempt(2)], "stage": "train", "startedAt": at(0)},
            {
                "attempts": [FAILED, attempt(2)],
                "stage": "train",
                "startedAt": at(0),
                "progress": {"step": 3, "updatedAt": at(8)},
            },
            {},
        ),
        # Checkpoints
        ({}, {"stages": [stage(checkpoint=checkpoint(5, 5))]}, {("checkpoints_total", "SFTJob"): 1}),
        (
            {"stages": [stage(checkpoint=checkpoint(5, 5))]},
            {"stages": [stage(checkpoint=checkpoint(15, 5, 10, 15))]},
            {("checkpoints_total", "SFTJob"): 2},
        ),
        ({"stages": [stage(checkpoint=checkpoint(5, 5))]}, {"stages": [stage(checkpoint=checkpoint(5, 5))]}, {}),
        # A rollback takes checkpoints away
        ({"stages": [stage(checkpoint=checkpoint(9, 9))]}, {"stages": [stage(checkpoint=checkpoint(5, 5))]}, {}),
        (
            {"stages": [stage(plan={"workers": 1})]},
            {"stages": [stage(plan={"workers": 1, "outcome": {"seconds": 9.0, "saveSeconds": 2.0}})]},
            {("checkpoint_blocked_seconds", "SFTJob"): 2},
        ),
    ],
)
def test_a_difference_is_counted_once_and_nothing_else_is(old, new, want):
    assert told(old, new) == want


def test_a_clock_that_jumps_back_measures_nothing():
    old = {"attempts": [attempt(startedAt=at(9))]}
    assert told(old, {"attempts": [attempt(startedAt=at(9), runningAt=at(1))]}) == {
        ("start_seconds", "SFTJob", "train"): 0
    }


def test_what_is_kept_of_ten_attempts_is_not_counted_again_when_the_eleventh_begins():
    ten = [attempt(n, endedAt=at(n), outcome="Failed", failure=failure(), restarts=1) for n in range(1, 11)]
    assert told({"attempts": ten}, {"attempts": [*ten[1:], attempt(11)]}) == {
        ("job_restarts_total", "SFTJob", "Hang"): 1
    }
