"""Which news is written at once, and which waits for the next write of progress."""

from datetime import timedelta

import pytest

from trivium.domain.attempt_facts import is_progress_due, is_urgent

INSPECTION = {
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
END = {"outcome": "complete", "stage": "train"}


def urgent(case, *, stage="train", attempt=None, said=None, **known):
    case.planned(stage=stage)
    case.attempt(stage=stage, **({"running_at": case.time} | (attempt or {}))).record(**known)
    case.reported(stage=stage, **(said or {}))
    return is_urgent(case.status, case.observation.report)


@pytest.mark.parametrize(
    ("attempt", "said", "want"),
    [
        ({}, {}, False),
        ({}, {"step": 50}, False),
        ({"running_at": None}, {}, True),
        ({}, {"restarts": 1}, True),
        ({}, {"restarts": 1, "preemptions": 1}, True),
        ({"restarts": 1, "preemptions": 1}, {"restarts": 1, "preemptions": 1}, False),
        ({}, {"earlier_restarts": 1}, True),
        ({}, {"end": END}, True),
        ({"outcome": "Complete"}, {"end": END}, False),
        ({"outcome": "Complete"}, {}, False),
        ({}, {"inspection": INSPECTION}, False),
    ],
)
def test_a_first_report_a_restart_and_an_end_cannot_wait(case, attempt, said, want):
    assert urgent(case, attempt=attempt, said=said) is want


@pytest.mark.parametrize(
    ("known", "said", "want"),
    [
        (None, None, False),
        (None, INSPECTION, True),
        (INSPECTION, None, False),
        (INSPECTION, INSPECTION, False),
        (INSPECTION, {**INSPECTION, "parameters": 2}, True),
    ],
)
def test_an_inspection_that_is_new_cannot_wait(case, known, said, want):
    assert urgent(case, stage="prepare", said={"inspection": said}, inspection=known) is want


@pytest.mark.parametrize(
    ("now", "want"),
    [(-11, True), (-1, True), (0, False), (1, False), (9, False), (10, True), (11, True)],
)
def test_progress_waits_for_its_interval_and_not_for_a_clock_that_went_back(case, t0, now, want):
    case.record(progress={"updated_at": t0})
    due = is_progress_due(case.status, interval=timedelta(seconds=10), now=t0 + timedelta(seconds=now))
    assert due is want
