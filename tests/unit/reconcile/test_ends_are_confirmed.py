"""The end of an attempt is recorded only when the RayJob, read live, agrees: a watch may have lost what came since."""

from datetime import UTC, datetime, timedelta

import pytest

from trivium.ports import ObjectKey
from trivium.reconcile import Settings, reconcile
from trivium.store import Store

T0 = datetime(2026, 1, 1, tzinfo=UTC)
KEY = ObjectKey(kind="SFTJob", namespace="team", name="a")
PLAN = {"profile": "cpu", "image": "i", "runs": {"claimName": "runs"}, "totalSteps": 9}
PROFILE = {
    "apiVersion": "trivium.dev/v1alpha1",
    "kind": "ComputeProfile",
    "metadata": {"name": "cpu", "uid": "p", "resourceVersion": "1"},
    "spec": {"image": "i", "rayVersion": "2.60.0", "worker": {"cpu": 4, "memory": "8Gi"}, "default": True},
}
JOB = {
    "apiVersion": "trivium.dev/v1alpha1",
    "kind": "SFTJob",
    "metadata": {"name": "a", "namespace": "team", "uid": "u", "resourceVersion": "5", "generation": 1},
    "spec": {"model": {"from": {"hub": {"repo": "r"}}}, "data": {"train": [{"from": {"hub": {"repo": "d"}}}]}},
    "status": {
        "stage": "prepare",
        "stages": [{"name": "prepare", "plan": PLAN}, {"name": "train", "plan": PLAN}],
        "attempts": [
            {"number": 1, "stage": "prepare", "rayJob": "a-1", "rayJobUid": "r", "startedAt": "2026-01-01T00:00:00Z"}
        ],
    },
}


def ray_job(version, deployment, job):
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayJob",
        "metadata": {
            "name": "a-1",
            "namespace": "team",
            "uid": "r",
            "resourceVersion": version,
            "ownerReferences": [{"uid": "u", "controller": True, "kind": "SFTJob", "name": "a"}],
        },
        "spec": {},
        "status": {"jobDeploymentStatus": deployment, "jobStatus": job},
    }


class Live:
    """Holds a RayJob, and its Workload, as they are now, and takes statuses."""

    def __init__(self, now, workload):
        self.now, self.statuses = {"RayJob": now, "Workload": workload}, []

    async def get(self, key):
        return self.now.get(key.kind)

    async def apply(self, manifest):
        return manifest | {"metadata": manifest["metadata"] | {"resourceVersion": "9", "uid": "n"}}

    create = apply

    async def replace_status(self, manifest):
        self.statuses.append(manifest["status"])
        return manifest | {"metadata": manifest["metadata"] | {"resourceVersion": "10"}}

    async def emit(self, event):
        """Events are of no interest here."""


async def pass_over(live, *, seen=(), workload=None):
    store = Store()
    for one in (PROFILE, JOB, ray_job("6", "Initializing", ""), *seen):
        store.apply_event("ADDED", one)
    cluster = Live(live, workload)
    await reconcile(
        KEY, now=T0 + timedelta(seconds=900), store=store, cluster=cluster, settings=Settings(listening_since=T0)
    )
    return cluster.statuses[-1]["attempts"][-1]


async def test_a_start_that_only_looks_too_long_is_no_end():
    assert "endedAt" not in await pass_over(ray_job("8", "Running", "RUNNING"))


async def test_a_start_that_is_too_long_is_one():
    assert (await pass_over(ray_job("6", "Initializing", "")))["failure"]["reason"] == "StartTimeout"


async def test_a_ray_job_that_is_gone_meanwhile_is_said_to_be_gone():
    assert (await pass_over(None))["failure"]["reason"] == "RayJobDeleted"


def workload(version, *evicted):
    return {
        "apiVersion": "kueue.x-k8s.io/v1beta2",
        "kind": "Workload",
        "metadata": {
            "name": "rayjob-a-1-12345",
            "namespace": "team",
            "uid": "w",
            "resourceVersion": version,
            "labels": {"kueue.x-k8s.io/job-uid": "r"},
            "ownerReferences": [{"uid": "r", "controller": True, "kind": "RayJob", "name": "a-1"}],
        },
        "status": {"conditions": [{"type": "Evicted", "status": "True", "reason": r} for r in evicted]},
    }


@pytest.mark.parametrize(("now", "want"), [((), "NoLastWord"), (("LocalQueueStopped",), "LocalQueueStopped")])
async def test_an_end_is_explained_by_what_its_queue_says_now(now, want):
    seen = (workload("7", "Preempted"), ray_job("8", "Failed", "FAILED"))
    attempt = await pass_over(ray_job("8", "Failed", "FAILED"), seen=seen, workload=workload("9", *now))
    assert attempt["failure"]["reason"] == want


async def test_a_workload_that_is_gone_meanwhile_explains_nothing():
    seen = (workload("7", "Preempted"), ray_job("8", "Failed", "FAILED"))
    attempt = await pass_over(ray_job("8", "Failed", "FAILED"), seen=seen)
    assert attempt["failure"]["reason"] == "NoLastWord"
