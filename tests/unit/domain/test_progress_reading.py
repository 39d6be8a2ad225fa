"""A report as a tenant may send it, and as status shows it."""

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from trivium.api import parse_profile
from trivium.api.plan_status import Plan
from trivium.api.status import JobStatus
from trivium.domain.progress_facts import format_duration, read_progress
from trivium.domain.report import ProgressReport, ReportSnapshot

BASE = {"apiVersion": "progress.trivium.dev/v1alpha1", "jobUid": "u", "stage": "train", "sequence": 1}
INSPECTION = {
    "architecture": {"a": None, "b": math.nan, "c": ["x\x00"]},
    "parameters": 1,
    "vocabulary": 1,
    "packing": False,
    "maxLength": 1,
    "trainSequences": 1,
    "trainExamples": 1,
    "trainTokens": 1,
    "preparedKey": "k",
    "tokenizerDigest": "t",
}


@pytest.mark.parametrize(
    "fields",
    [
        {"metrics": {f"m{i}": 1.0 for i in range(65)}},
        {"metrics": {"Bad Key": 1.0}},
        {"metrics": {"a" * 64: 1.0}},
        {"step": -1},
        {"tokens": 1 << 60},
        {"checkpoint": {"step": 1, "path": "/etc/passwd"}},
        {"checkpoint": {"step": 1, "path": "train/../../other"}},
        {"checkpoint": {"step": 1, "path": "a b"}},
        {"worldSize": 0},
        {"apiVersion": "progress.trivium.dev/v9"},
        {"inspection": {**INSPECTION, "architecture": {"k": "x" * 70_000}}},
        {"end": {"outcome": "won", "stage": "train"}},
    ],
)
def test_what_breaks_the_contract_is_refused(fields):
    with pytest.raises(ValidationError):
        ProgressReport.model_validate({**BASE, **fields})


def test_values_that_are_no_numbers_are_no_values():
    report = ProgressReport.model_validate(
        {**BASE, "loss": math.nan, "tokensPerSecond": math.inf, "metrics": {"a": math.nan, "b": 1.0, "c": -math.inf}}
    )
    assert (report.loss, report.tokens_per_second, report.metrics) == (None, None, {"b": 1.0})


def test_texts_lose_control_characters_and_are_cut():
    report = ProgressReport.model_validate({**BASE, "message": "\x1b[2J" + "m" * 2000, "activity": "dreaming"})
    assert report.message.startswith("[2Jm")
    assert len(report.message) == 1024
    assert report.activity == "start"


def test_an_inspection_is_cleaned_rather_than_refused_and_survives_the_api_server():
    source = {"name": "s", "firstBadRecords": ["\x00" + "b" * 3000]}
    report = ProgressReport.model_validate({**BASE, "inspection": {**INSPECTION, "sources": [source]}})
    assert report.inspection.architecture == {"c": ["x"]}
    assert len(report.inspection.sources[0].first_bad_records[0]) == 1024
    again = type(report.inspection).model_validate(report.inspection.model_dump(mode="json", by_alias=True))
    assert again == report.inspection


def test_fields_of_a_newer_trainer_are_dropped():
    assert ProgressReport.model_validate({**BASE, "newField": 1}).sequence == 1


@pytest.mark.parametrize(
    ("seconds", "want"),
    [(0, "0s"), (59.9, "59s"), (60, "1m"), (3599, "59m"), (3600, "1h"), (5400, "1h30m"), (86_400, "1d"), (183_600, "2d3h")],
)  # fmt: skip
def test_durations_have_two_units_at_most(seconds, want):
    assert format_duration(seconds) == want


@given(st.floats(min_value=0, allow_nan=False))
def test_no_time_left_is_too_long_to_say(seconds):
    assert len(format_duration(seconds)) < 12


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


def shown(*, plan, **fields):
    """Progress of a report with 1,000 tokens a step at 500 tokens a second: half a step a second."""
    step = fields.pop("step", 200)
    said = {"step": step, "totalSteps": 1000, "tokens": 1000 * step, "tokensPerSecond": 500, **fields}
    report = ProgressReport.model_validate({**BASE, **said})
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    snapshot = ReportSnapshot(report=report, received_at=moment, advanced_at=moment)
    return read_progress(snapshot, status=JobStatus(plan=plan), profiles={"h100": PROFILE})


@pytest.mark.parametrize(
    ("step", "planned", "want"),
    [
        (0, 1.0, None),
        (1, 1.0, "16m"),
        (99, 1.0, "15m"),
        (100, 1.0, "30m"),
        (99, None, "30m"),
        (1000, 1.0, None),
    ],
)
def test_time_left_is_the_plans_until_a_hundred_steps_have_been_measured(step, planned, want):
    assert shown(plan=Plan(estimated_step_seconds=planned), step=step).eta == want


def test_time_left_is_unknown_without_a_speed_and_a_plan():
    assert shown(plan=Plan(), tokensPerSecond=None).eta is None


@pytest.mark.parametrize(
    ("changes", "want"),
    [
        ({}, 0.25),
        ({"flops_per_step": None}, None),
        ({"profile": "gone"}, None),
        ({"gpus": 0}, None),
        ({"precision": "float32"}, None),
    ],
)
def test_utilization_is_the_plans_work_of_the_peak_of_all_gpus(changes, want):
    plan = Plan(profile="h100", gpus=4, precision="bfloat16", flops_per_step=2e14).model_copy(update=changes)
    assert shown(plan=plan).mfu == want


def test_utilization_is_unknown_before_a_speed_is():
    plan = Plan(profile="h100", gpus=4, precision="bfloat16", flops_per_step=2e14)
    assert shown(plan=plan, tokensPerSecond=None).mfu is None
