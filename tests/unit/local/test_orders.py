"""What a person may order, carried out on a store."""

import itertools
from datetime import UTC, datetime
from pathlib import Path

import pytest

from trivium.local.admission import admit
from trivium.local.machine import Machine
from trivium.local.object_store import ObjectStore
from trivium.local.orders import Orders, order_key
from trivium.local.requests import Answer
from trivium.local.snapshots import Snapshots
from trivium.local.state_folder import StateFolder
from trivium.ports import ObjectKey

KEY = ObjectKey(kind="SFTJob", namespace="default", name="a")


def sft_job(**spec) -> dict:
    data = {"train": [{"from": {"hub": {"repo": "a/b"}}}]}
    return {
        "apiVersion": "trivium.dev/v1alpha1",
        "kind": "SFTJob",
        "metadata": {"name": "a", "namespace": "default"},
        "spec": {"model": {"from": {"hub": {"repo": "a/b"}}}, "data": data, **spec},
    }


class Person:
    """Someone at a terminal."""

    def __init__(self, folder: Path) -> None:
        self.state = StateFolder(folder)
        uids = itertools.count(1)
        self.store = ObjectStore(
            Snapshots(self.state.objects),
            clock=lambda: datetime(2026, 11, 23, tzinfo=UTC),
            new_uid=lambda: f"uid-{next(uids)}",
            admit=admit,
        )
        self.orders = Orders(self.store, self.state, Machine(cores=2, memory_bytes=8 * 1024**3))

    def submits(self, *manifests: dict) -> Answer:
        return self.orders({"verb": "submit", "manifests": list(manifests)})

    def orders_on_a(self, verb: str, **options) -> Answer:
        return self.orders({"verb": verb, "job": order_key(sft_job()), **options})

    @property
    def job(self) -> dict | None:
        return self.store.get(KEY)


@pytest.fixture
def person(tmp_path: Path) -> Person:
    return Person(tmp_path)


def test_a_submitted_job_finds_its_profile(person: Person) -> None:
    assert person.submits(sft_job(compute={"profile": "h100"})) == Answer(ok=True, message="")
    assert person.job["metadata"]["uid"] == "uid-3"  # after both profiles
    assert [one["metadata"]["name"] for one in person.store.list_all("ComputeProfile")] == ["h100", "local"]


def test_submitting_the_same_again_changes_nothing(person: Person) -> None:
    person.submits(sft_job())
    before = person.job
    person.submits(sft_job())
    assert person.job == before


def test_what_was_changed_to_fit_is_told(person: Person) -> None:
    assert "workers: 4 becomes 2" in person.submits(sft_job(compute={"workers": 4})).message


def test_config_maps_are_stored_and_claims_become_folders(person: Person) -> None:
    def object_of(kind: str, **fields) -> dict:
        return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "x", "namespace": "default"}, **fields}

    assert person.submits(object_of("ConfigMap", data={"a": "b"}), object_of("PersistentVolumeClaim")).ok
    assert person.store.list_all("ConfigMap")[0]["data"] == {"a": "b"}
    assert person.state.claim("default", "x").is_dir()


def test_a_kind_without_a_meaning_here_is_refused(person: Person) -> None:
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x", "namespace": "default"}}
    assert person.submits(deployment) == Answer(
        ok=False,
        message="kind: Deployment has no meaning on one machine. Known here: PretrainJob, SFTJob, PreferenceJob, "
        "ConfigMap, PersistentVolumeClaim, ComputeProfile, Namespace.",
    )


def test_a_changed_spec_of_a_planned_job_is_refused(person: Person) -> None:
    person.submits(sft_job())
    person.store.replace_status({**person.job, "status": {"plan": {"workers": 1}}})
    answer = person.submits(sft_job(optimization={"steps": 7}))
    assert not answer.ok
    assert answer.message.startswith("SFTJob a: spec.optimization: ")


def test_a_suspension_survives_that_the_file_is_submitted_again(person: Person) -> None:
    person.submits(sft_job())
    assert person.orders_on_a("suspend").ok
    person.submits(sft_job())
    assert person.job["spec"]["runPolicy"]["suspend"] is True
    assert person.orders_on_a("resume").ok
    assert person.job["spec"]["runPolicy"]["suspend"] is False


def test_what_the_file_says_about_suspension_counts(person: Person) -> None:
    person.submits(sft_job(runPolicy={"suspend": True}))
    assert person.orders_on_a("resume").ok
    assert person.job["spec"]["runPolicy"]["suspend"] is False
    person.submits(sft_job(runPolicy={"suspend": True}))
    assert person.job["spec"]["runPolicy"]["suspend"] is True


def test_a_job_that_is_over_cannot_be_suspended(person: Person) -> None:
    person.submits(sft_job())
    person.store.replace_status({**person.job, "status": {"phase": "Succeeded"}})
    assert not person.orders_on_a("suspend").ok


def test_an_order_about_a_job_that_is_gone_says_so(person: Person) -> None:
    assert person.orders_on_a("delete", runs=False) == Answer(ok=False, message="is not there any more")


def test_an_order_of_a_newer_version_is_refused(person: Person) -> None:
    assert not person.orders({"verb": "dance"}).ok
