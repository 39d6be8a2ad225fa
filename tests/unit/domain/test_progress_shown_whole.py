"""Every field of the progress in the status, and what is not known shown as such."""

from datetime import UTC, datetime

import pytest

from trivium.api import parse_profile
from trivium.api.plan_status import Plan
from trivium.api.status import JobStatus, Progress
from trivium.domain.progress_facts import format_duration, read_progress
from trivium.domain.report import ProgressReport, ReportSnapshot

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
BASE = {"apiVersion": "progress.trivium.dev/v1alpha1", "jobUid": "u", "stage": "train", "sequence": 1}
PROFILE = parse_profile(
    {
        "apiVersion": "trivium.dev/v1alpha1",
        "kind": "ComputeProfile",
        "metadata": {"name": "h100"},
        "spec": {
            "image": "i",
            "rayVersion": "2.60.0",
            "worker": {"cpu": 4, "memory": "8Gi"},
            "gpu": {"resource": "nvidia.com/gpu", "memory": "80Gi", "perNode": 8, "peakTFLOPS": {"bfloat16": 100}},
        },
    }
)


def shown(*, plan=None, **said):
    report = ProgressReport.model_validate({**BASE, **said})
    snapshot = ReportSnapshot(report=report, received_at=MOMENT, advanced_at=MOMENT)
    return read_progress(snapshot, status=JobStatus(plan=plan), profiles={"h100": PROFILE})


def test_what_is_said_is_shown_rounded():
    progress = shown(
        plan=Plan(
            profile="h100",
            gpus=4,
            precision="bfloat16",
            flops_per_step=1.23456e14,
            estimated_step_seconds=20,
            total_steps=9,
        ),
        step=50,
        totalSteps=1000,
        epoch=0.123456,
        tokens=50_000,
        loss=1.234567,
        tokensPerSecond=500.1234,
        activity="save",
        message="Saving.",
        metrics={"b": 1.23456789, "a": 2.0},
    )
    assert progress == Progress(
        step=50,
        total_steps=1000,
        epoch=0.1235,
        tokens=50_000,
        percent=5,
        loss=1.235,
        tokens_per_second=500.1,
        mfu=0.1544,
        eta="5h16m",
        activity="save",
        message="Saving.",
        updated_at=MOMENT,
        metrics={"a": 2.0, "b": 1.23457},
    )
    assert list(progress.metrics) == ["a", "b"]


def test_what_is_not_said_is_not_shown():
    want = Progress(activity="start", updated_at=MOMENT)
    assert shown(epoch=None) == want == shown(plan=Plan(), epoch=None)


@pytest.mark.parametrize(
    ("planned", "said", "step", "want"),
    [
        (None, 0, 50, (0, 0)),
        (200, 0, 50, (200, 25)),
        (200, 100, 50, (100, 50)),
        (200, 0, 199, (200, 99)),
        (200, 0, 250, (200, 100)),
        (None, 1000, 995, (1000, 99)),
    ],
)
def test_the_part_that_is_done_is_of_the_steps_said_or_planned(planned, said, step, want):
    plan = None if planned is None else Plan(total_steps=planned)
    progress = shown(plan=plan, step=step, totalSteps=said)
    assert (progress.total_steps, progress.percent) == want


def test_without_a_plan_the_speed_alone_says_the_time_left():
    progress = shown(step=10, totalSteps=100, tokens=1000, tokensPerSecond=100)
    assert (progress.eta, progress.mfu) == ("1m", None)


def test_a_job_that_never_ends_has_a_time_left_all_the_same():
    assert format_duration(1e12) == format_duration(1e9) == "11574d1h"
