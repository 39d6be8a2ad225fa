"""Reports in the order they came: which is the newest, and since when nothing has moved. And their bounds."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from trivium.domain.report import CheckpointReport, ProgressReport, ReportSnapshot, follow_up

BASE = {"apiVersion": "progress.trivium.dev/v1alpha1", "jobUid": "u", "stage": "train", "sequence": 1}
T0 = datetime(2026, 1, 1, tzinfo=UTC)
LATER = T0 + timedelta(seconds=9)
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


def report(**said):
    return ProgressReport.model_validate({**BASE, **said})


def test_the_first_report_is_news_and_progress():
    said = report()
    assert follow_up(None, said, now=T0) == ReportSnapshot(report=said, received_at=T0, advanced_at=T0)


@pytest.mark.parametrize(
    ("known", "said", "taken"),
    [(5, 6, True), (5, 5, True), (5, 4, False), (5, 1, False), (5, 0, True), (0, 0, True)],
)
def test_an_older_report_is_not_taken_but_the_first_of_a_new_driver_is(known, said, taken):
    old = ReportSnapshot(report=report(sequence=known), received_at=T0, advanced_at=T0)
    new = report(sequence=said, message="new")
    want = ReportSnapshot(report=new, received_at=LATER, advanced_at=T0) if taken else old
    assert follow_up(old, new, now=LATER) == want


@pytest.mark.parametrize(
    ("changes", "moved"),
    [
        ({}, False),
        ({"loss": 2.0, "message": "m"}, False),
        ({"step": 8}, True),
        ({"tokens": 80}, True),
        ({"activity": "save"}, True),
    ],
)
def test_only_another_activity_step_or_token_is_progress(changes, moved):
    known = {"step": 7, "tokens": 70, "activity": "step"}
    old = ReportSnapshot(report=report(**known), received_at=T0, advanced_at=T0)
    new = report(**{**known, "sequence": 2, **changes})
    want = ReportSnapshot(report=new, received_at=LATER, advanced_at=LATER if moved else T0)
    assert follow_up(old, new, now=LATER) == want


def test_only_the_newest_checkpoints_are_listed():
    assert report(checkpoints=list(range(70))).checkpoints == tuple(range(6, 70))
    assert ProgressReport(**{**BASE, "checkpoints": (3, 4)}).checkpoints == (3, 4)


@pytest.mark.parametrize("fields", [{"checkpoints": "many"}, {"checkpoints": 7}, {"metrics": "many"}, {"seconds": 7}])
def test_what_is_no_list_or_map_at_all_is_refused(fields):
    with pytest.raises(ValidationError):
        report(**fields)


def test_metrics_that_are_null_are_left_out():
    assert report(metrics={"a": None, "b": 2}).metrics == {"b": 2}


@pytest.mark.parametrize("path", ["/etc", "a/../b"])
def test_a_checkpoint_outside_the_run_is_refused_in_words(path):
    with pytest.raises(ValidationError) as refused:
        CheckpointReport(step=1, path=path)
    assert refused.value.errors()[0]["msg"] == "Value error, checkpoint.path: must lie inside the run directory"


def test_an_inspection_that_is_too_large_is_refused_in_words():
    with pytest.raises(ValidationError) as refused:
        report(inspection={**INSPECTION, "architecture": {"k": "x" * 65_536}})
    assert refused.value.errors()[0]["msg"] == "Value error, inspection: larger than 65536 characters"


def test_an_inspection_may_be_absent_or_read_before():
    known = report(inspection=INSPECTION).inspection
    assert (report(inspection=None).inspection, report(inspection=known).inspection) == (None, known)


def test_names_in_a_models_config_are_cut():
    said = report(inspection={**INSPECTION, "architecture": {"n" * 200: 1}})
    assert said.inspection.architecture == {"n" * 128: 1}


@pytest.mark.parametrize(
    ("said", "want"),
    [
        ({"step": 0}, {"step": 0.0}),
        ({"step": 0.5}, {"step": 0.5}),
        ({"step": 3.2e9}, {"step": 3.2e9}),
        ({"step": 3.3e9}, {}),
        ({"dream": 1, "doze": 2}, {"other": 3.0}),
        ({"other": 4, "doze": 2}, {"other": 6.0}),
    ],
)
def test_times_are_summed_by_known_kinds(said, want):
    assert report(seconds=said).seconds == want
