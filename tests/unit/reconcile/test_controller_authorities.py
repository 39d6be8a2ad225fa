"""The authorities of the progress endpoint change under running jobs: each namespace's ConfigMap follows."""

from copy import deepcopy
from datetime import UTC, datetime

import pytest

from trivium.controller import Controller
from trivium.ports import ObjectKey
from trivium.reconcile import Settings
from trivium.store import Store, key_of

T0 = datetime(2026, 1, 1, tzinfo=UTC)
PLAN = {"profile": "cpu", "image": "i", "runs": {"claimName": "runs"}, "totalSteps": 9}
PROFILE = {
    "apiVersion": "trivium.dev/v1alpha1",
    "kind": "ComputeProfile",
    "metadata": {"name": "cpu", "uid": "p", "resourceVersion": "1"},
    "spec": {"image": "i", "rayVersion": "2.60.0", "worker": {"cpu": 4, "memory": "8Gi"}, "default": True},
}


class Clock:
    def now(self):
        return T0


class Objects:
    """Keeps what is written; a watch tells the controller of each."""

    def __init__(self):
        self.kept, self.applied, self.on_event = {}, [], None

    async def get(self, key):
        return self.kept.get(key)

    async def create(self, manifest):
        return self._keep(manifest)

    async def apply(self, manifest):
        if manifest["kind"] == "ConfigMap":
            self.applied.append(manifest["metadata"]["namespace"])
        return self._keep(manifest)

    async def replace_status(self, manifest):
        return self._keep(manifest)

    async def emit(self, event):
        """Events are of no interest here."""

    def _keep(self, manifest):
        version = str(len(self.applied) + len(self.kept) + 100)
        metadata = {"uid": f"of-{manifest['metadata']['name']}", **manifest["metadata"], "resourceVersion": version}
        written = {**deepcopy(dict(manifest)), "metadata": metadata}
        self.kept[key_of(written)] = written
        self.on_event("MODIFIED", written)
        return written

    def bundle(self, namespace):
        found = self.kept[ObjectKey(kind="ConfigMap", namespace=namespace, name="trivium-ca")]
        return found["data"]["ca.crt"]


def job(namespace, name):
    uid = f"{namespace}-{name}"
    started = {"number": 1, "stage": "prepare", "rayJob": f"{name}-1", "startedAt": "2026-01-01T00:00:00Z"}
    return {
        "apiVersion": "trivium.dev/v1alpha1",
        "kind": "SFTJob",
        "metadata": {"name": name, "namespace": namespace, "uid": uid, "resourceVersion": "5", "generation": 1},
        "spec": {"model": {"from": {"hub": {"repo": "r"}}}, "data": {"train": [{"from": {"hub": {"repo": "d"}}}]}},
        "status": {
            "stage": "prepare",
            "stages": [{"name": "prepare", "plan": PLAN}, {"name": "train", "plan": PLAN}],
            "attempts": [started],
        },
    }


async def pass_until_quiet(controller):
    for _ in range(100):
        key = controller.pop()
        if key is None:
            return
        await controller.one_pass(key)
    raise AssertionError("never quiet")


@pytest.fixture
async def world():
    """Two jobs in one namespace, one in another, all with an attempt that runs."""
    objects = Objects()
    controller = Controller(Store(), objects, Settings(listening_since=T0, progress_url="https://p:1/x"), Clock())
    objects.on_event = controller.on_event
    controller.trust("old\n")
    for manifest in (PROFILE, job("team", "a"), job("team", "b"), job("lab", "c")):
        objects.kept[key_of(manifest)] = manifest
        controller.on_event("ADDED", manifest)
    await pass_until_quiet(controller)
    return controller, objects


async def test_each_namespace_with_a_job_is_told_whom_to_trust_once(world):
    _, objects = world
    assert (objects.bundle("team"), objects.bundle("lab")) == ("old\n", "old\n")
    assert sorted(objects.applied) == ["lab", "team"]


async def test_a_new_bundle_reaches_the_namespaces_of_running_jobs(world):
    controller, objects = world
    controller.trust("new\nold\n")
    await pass_until_quiet(controller)
    assert (objects.bundle("team"), objects.bundle("lab")) == ("new\nold\n", "new\nold\n")
    assert sorted(objects.applied) == ["lab", "lab", "team", "team"]


async def test_the_same_bundle_again_wakes_nobody(world):
    controller, objects = world
    controller.trust("old\n")
    assert controller.pop() is None
    assert len(objects.applied) == 2
