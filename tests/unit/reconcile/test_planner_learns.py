"""The planner that decisions are given reads the store's finished jobs, and only for a stage that trains."""

import pytest

from trivium.api import parse_job, parse_profile
from trivium.api.inspection import Inspection
from trivium.planner import StorePlanner
from trivium.store import Store

API = "trivium.dev/v1alpha1"
PROFILE = {
    "apiVersion": API,
    "kind": "ComputeProfile",
    "metadata": {"name": "cpu", "generation": 1},
    "spec": {
        "image": "i",
        "rayVersion": "2.60.0",
        "worker": {"cpu": 4, "memory": "8Gi"},
        "storage": {"runs": {"claimName": "runs"}},
    },
}
TINY = {
    "model_type": "llama",
    "hidden_size": 192,
    "num_hidden_layers": 4,
    "num_attention_heads": 6,
    "intermediate_size": 512,
    "vocab_size": 4096,
    "tie_word_embeddings": True,
}
INSPECTION = Inspection(
    architecture=TINY,
    parameters=2_557_632,
    vocabulary=4096,
    packing=True,
    max_length=256,
    train_sequences=1000,
    train_examples=1000,
    train_tokens=250_000,
    prepared_key="k",
    tokenizer_digest="t",
)


def _manifest(name, **status):
    manifest = {
        "apiVersion": API,
        "kind": "SFTJob",
        "metadata": {"name": name, "namespace": "team", "uid": f"uid-{name}", "resourceVersion": "1"},
        "spec": {
            "model": {"from": {"hub": {"repo": "r"}}},
            "data": {"train": [{"from": {"hub": {"repo": "d"}}}], "maxLength": 256},
            "optimization": {"steps": 50},
        },
    }
    return {**manifest, "status": status} if status else manifest


def _plan(store, stage="train"):
    job, profile = parse_job(_manifest("next")), parse_profile(PROFILE)
    return StorePlanner(store).plan_stage(job, stage=stage, inspection=INSPECTION, profile=profile, previous=None)


def _store_with_finished():
    first = _plan(Store()).model_dump(mode="json", by_alias=True, exclude_none=True)
    outcome = {"seconds": 123.0, "startSeconds": 7.0, "steps": 50}
    stage = {"name": "train", "state": "Succeeded", "plan": {**first, "outcome": outcome}}
    store = Store()
    store.apply_event("ADDED", _manifest("done", endedAt="2026-01-01T00:00:00Z", stages=[stage]))
    return store


def test_a_job_is_predicted_as_an_earlier_one_ran():
    assert _plan(Store()).estimated_seconds is None, "a CPU profile names no peak"
    learned = _plan(_store_with_finished())
    assert learned.estimated_seconds == pytest.approx(123.0, rel=1e-3)
    assert learned.start_seconds == 7.0


def test_a_stage_that_prepares_looks_at_no_other_job(monkeypatch):
    def refuse():
        raise AssertionError

    store = _store_with_finished()
    monkeypatch.setattr(store, "ended_jobs", refuse)
    assert _plan(store, stage="prepare").workers == 1
    with pytest.raises(AssertionError):
        _plan(store)
