"""A report as a tenant may send it, and as status shows it."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from trivium.domain.progress_facts import format_duration
from trivium.domain.report import ProgressReport

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
