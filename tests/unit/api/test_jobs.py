"""Reading jobs, status included: the smallest ones, their defaults, strictness in spec and tolerance in status."""

from datetime import UTC, datetime
from types import MappingProxyType

import pytest
from pydantic import ValidationError

from trivium.api import PreferenceJob, PretrainJob, SFTJob, UnknownKindError, parse_job
from trivium.api.conditions import MEANINGS, Reason
from trivium.api.failure_classes import FAILURE_POLICIES, FailureClass
from trivium.api.failure_reasons import REASONS_OF_FAILURES, FailureReason
from trivium.api.status import Attempt, JobStatus
from trivium_trainer import failure as trainer

DATA = {"train": [{"from": {"configMap": {"name": "rows"}}}]}
SPECS = {
    "PretrainJob": {
        "model": {"architecture": {"preset": "llama-tiny"}, "tokenizer": {"train": {"vocabSize": 4096}}},
        "data": DATA,
        "optimization": {"steps": 100},
    },
    "SFTJob": {"model": {"from": {"job": {"kind": "PretrainJob", "name": "base"}}}, "data": DATA},
    "PreferenceJob": {
        "method": {"dpo": {}},
        "model": {"from": {"hub": {"repo": "owner/model"}}},
        "data": DATA,
    },
}


def manifest(kind: str, status: dict | None = None, **spec) -> dict:
    made = {
        "apiVersion": "trivium.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": "a", "namespace": "team", "managedFields": [{"manager": "kubectl"}]},
        "spec": SPECS[kind] | spec,
    }
    return made if status is None else made | {"status": status}


@pytest.mark.parametrize(
    ("kind", "want"), [("PretrainJob", PretrainJob), ("SFTJob", SFTJob), ("PreferenceJob", PreferenceJob)]
)
def test_the_smallest_job_of_each_kind_is_enough(kind, want):
    job = parse_job(manifest(kind))
    assert type(job) is want
    assert job.spec.compute.workers == 1
    assert job.status is None


def test_the_batch_size_depends_on_the_kind():
    sizes = {kind: parse_job(manifest(kind)).spec.optimization.global_batch_size for kind in SPECS}
    assert sizes == {"PretrainJob": 256, "SFTJob": 32, "PreferenceJob": 32}


def test_what_depends_on_other_fields_is_left_to_the_planner():
    optimization = parse_job(manifest("SFTJob")).spec.optimization
    assert (optimization.epochs, optimization.steps, optimization.tokens) == (None, None, None)
    assert optimization.learning_rate is None


def test_an_unknown_kind_is_refused_by_name():
    with pytest.raises(UnknownKindError, match="SFTJobb is none of PretrainJob, SFTJob, PreferenceJob"):
        parse_job(manifest("SFTJob") | {"kind": "SFTJobb"})


@pytest.mark.parametrize(
    "spec",
    [
        {"surprise": 1},
        {"compute": {"workers": "2"}},  # the API server takes no string for a number
        {"compute": {"gpus_per_worker": 2}},  # Python's own spelling is not the API's
        {"compute": {"workers": True}},
    ],
)
def test_a_spec_is_read_as_strictly_as_the_api_server_reads_it(spec):
    with pytest.raises(ValidationError):
        parse_job(manifest("SFTJob", **spec))


def test_a_broken_rule_is_an_error_with_its_way_out():
    with pytest.raises(ValidationError, match="Use 30 or 35, or change the others"):
        parse_job(manifest("SFTJob", compute={"workers": 5}))


def test_a_read_job_cannot_be_changed():
    job = parse_job(manifest("SFTJob"))
    with pytest.raises(ValidationError, match="frozen"):
        job.spec.compute.workers = 2


def test_a_manifest_may_be_immutable():
    assert parse_job(MappingProxyType(manifest("SFTJob"))).metadata.name == "a"


def test_a_job_survives_a_trip_through_json():
    for kind in SPECS:
        job = parse_job(manifest(kind, status={"phase": "Running", "restarts": 2}))
        assert parse_job(job.model_dump(mode="json", by_alias=True, exclude_none=True)) == job


def test_a_status_may_hold_fields_of_a_newer_operator():
    status = parse_job(
        manifest("SFTJob", status={"phase": "Running", "news": 1, "progress": {"step": 3, "mood": "good"}})
    ).status
    assert status is not None
    assert status.progress is not None
    assert status.progress.step == 3


def test_times_are_whole_seconds_in_utc():
    attempt = Attempt(number=1, stage="train", ray_job="a-1", started_at=datetime(2026, 5, 4, 3, 2, 1, 999, UTC))
    assert attempt.model_dump(mode="json", by_alias=True)["startedAt"] == "2026-05-04T03:02:01Z"


def test_an_empty_status_has_a_meaning_for_every_field():
    assert JobStatus().model_dump(exclude_none=True)["phase"] == "Pending"


def test_every_failure_class_says_what_happens_next():
    assert set(FAILURE_POLICIES) == set(FailureClass)
    assert all(policy.remedy.endswith(".") for policy in FAILURE_POLICIES.values())
    # What is not tried again can cost nothing.
    assert all(policy.retried or not policy.counted for policy in FAILURE_POLICIES.values())


def test_every_reason_says_what_is_so_in_one_sentence():
    assert set(MEANINGS) == set(Reason)
    assert set(REASONS_OF_FAILURES) == set(FailureReason)
    sentences = [*MEANINGS.values(), *(text for _, text in REASONS_OF_FAILURES.values())]
    assert all(text.endswith(".") and "\n" not in text for text in sentences)


def test_every_class_that_the_trainer_names_is_known():
    assert {c.value for c in trainer.FailureClass} <= {c.value for c in FailureClass}
