"""Defaults, bounds and the fields that are fixed once a job is planned."""

import copy

import pytest

from trivium.api import JOB_KINDS, parse_job
from trivium.api.generate.crd import crd
from trivium.api.validation import KINDS
from trivium.local.admission import admit, with_defaults
from trivium.ports import RefusedError


def sft_job(**spec) -> dict:
    data = {"train": [{"from": {"hub": {"repo": "a/b"}}}]}
    return {
        "apiVersion": "trivium.dev/v1alpha1",
        "kind": "SFTJob",
        "metadata": {"name": "a", "namespace": "default", "uid": "u", "managedFields": [], "generation": 1},
        "spec": {"model": {"from": {"hub": {"repo": "a/b"}}}, "data": data, **spec},
    }


def planned(manifest: dict) -> dict:
    return {**admit(None, manifest), "status": {"plan": {"workers": 1}}}


def test_defaults_are_filled_in_and_mean_what_the_models_say() -> None:
    stored = admit(None, sft_job())
    assert stored["spec"]["optimization"]["globalBatchSize"] == 32
    assert stored["spec"]["data"]["train"][0]["weight"] == 1.0
    assert parse_job(stored).spec == parse_job(sft_job()).spec


def test_defaulting_twice_changes_nothing() -> None:
    once = admit(None, sft_job(adapter={"lora": {"rank": 8}}))
    assert admit(None, copy.deepcopy(once)) == once


def test_a_union_gets_no_member_by_default() -> None:
    stored = admit(None, sft_job())
    assert not {"epochs", "steps", "tokens"} & stored["spec"]["optimization"].keys()


@pytest.mark.parametrize("kind", KINDS)
def test_the_schema_that_fills_defaults_is_the_crds(kind: str) -> None:
    schema = crd(KINDS[kind])["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    with_defaults({}, schema)


def test_an_invalid_object_is_refused_with_every_problem() -> None:
    with pytest.raises(RefusedError) as refusal:
        admit(None, sft_job(optimization={"globalBatchSize": 0}, nonsense=1))
    assert {"spec.nonsense", "spec.optimization.globalBatchSize"} <= {
        line.split(":")[0] for line in str(refusal.value).splitlines()
    }


def test_everything_may_change_before_the_plan() -> None:
    admit(admit(None, sft_job()), sft_job(optimization={"steps": 5}))


def test_what_is_immutable_is_refused_once_the_job_is_planned() -> None:
    with pytest.raises(RefusedError, match=r"spec.optimization: .* Immutable once the job is planned. Restore it"):
        admit(planned(sft_job()), sft_job(optimization={"steps": 5}))
    with pytest.raises(RefusedError, match=r"spec.compute.profile: nothing cannot become h100"):
        admit(planned(sft_job()), sft_job(compute={"profile": "h100"}))


@pytest.mark.parametrize(
    "spec", [{"compute": {"workers": 2}}, {"runPolicy": {"suspend": True}}, {"recovery": {"maxRestarts": 1}}]
)
def test_what_may_change_at_any_time_may(spec: dict) -> None:
    admit(planned(sft_job()), sft_job(**spec))


def test_saying_a_default_aloud_is_no_change() -> None:
    admit(planned(sft_job()), sft_job(optimization={"globalBatchSize": 32}))


def test_other_kinds_pass_as_they_are() -> None:
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "b"}, "data": {}}
    assert admit(None, config_map) == config_map


def test_every_job_kind_is_judged() -> None:
    for kind in JOB_KINDS:
        with pytest.raises(RefusedError):
            admit(None, {**sft_job(), "kind": kind, "spec": {}})
