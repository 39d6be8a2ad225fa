"""The mapping of KubeRay's states: every pair that KubeRay 1.6-1.7 writes, and words that it does not know yet."""

import itertools

import pytest

from trivium.domain.ray_job_state import ENDED, AttemptState, read_ray_job_state

S = AttemptState


def ray_job(deployment="", job="", *, suspend=False, deleting=False):
    return {
        "metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"} if deleting else {},
        "spec": {"suspend": suspend},
        "status": {"jobDeploymentStatus": deployment, "jobStatus": job},
    }


@pytest.mark.parametrize(
    ("deployment", "job", "want"),
    [
        ("", "", S.STARTING),
        ("Initializing", "", S.STARTING),
        ("Running", "", S.STARTING),
        ("Running", "PENDING", S.STARTING),
        ("Running", "RUNNING", S.RUNNING),
        ("Running", "SUCCEEDED", S.RUNNING),
        ("Running", "FAILED", S.RUNNING),
        ("Complete", "SUCCEEDED", S.SUCCEEDED),
        ("Complete", "STOPPED", S.STOPPED),
        ("Complete", "FAILED", S.FAILED),
        ("Complete", "", S.UNKNOWN),
        ("Failed", "FAILED", S.FAILED),
        ("Failed", "", S.FAILED),
        ("Failed", "RUNNING", S.FAILED),
        ("Failed", "SUCCEEDED", S.SUCCEEDED),
        ("Failed", "STOPPED", S.STOPPED),
        ("Suspending", "RUNNING", S.QUEUED),
        ("Suspended", "", S.QUEUED),
        ("ValidationFailed", "", S.INVALID),
        ("Retrying", "FAILED", S.UNKNOWN),
        ("Waiting", "", S.UNKNOWN),
        ("Running", "DREAMING", S.UNKNOWN),
        ("Hibernating", "SUCCEEDED", S.UNKNOWN),
    ],
)
def test_each_pair_of_states_has_one_reading(deployment, job, want):
    assert read_ray_job_state(ray_job(deployment, job)) is want


def test_a_ray_job_born_suspended_is_queued_before_kuberay_has_seen_it():
    assert read_ray_job_state(ray_job(suspend=True)) is S.QUEUED
    assert read_ray_job_state({"spec": {"suspend": True}}) is S.QUEUED


def test_only_a_job_status_of_succeeded_is_ever_success():
    words = ["", "PENDING", "RUNNING", "STOPPED", "FAILED", "Succeeded", "succeeded", "NEW"]
    deployments = ["", "Initializing", "Running", "Complete", "Failed", "Suspended", "ValidationFailed", "New"]
    read = [read_ray_job_state(ray_job(d, j)) for d, j in itertools.product(deployments, words)]
    assert len(read) == 64
    assert S.SUCCEEDED not in read


def test_a_deleted_job_is_terminating_until_it_has_ended():
    assert read_ray_job_state(ray_job("Running", "RUNNING", deleting=True)) is S.TERMINATING
    assert read_ray_job_state(ray_job("Complete", "SUCCEEDED", deleting=True)) is S.SUCCEEDED


def test_what_has_ended_is_exactly_what_never_changes_by_itself():
    assert {S.SUCCEEDED, S.FAILED, S.STOPPED, S.INVALID} == ENDED
