"""What is read of RayJobs, profiles and the upstream, every field of it."""

import pytest

from trivium.api.status import JobStatus
from trivium.domain.observation import RayJobSeen, UpstreamSeen
from trivium.domain.pod_evidence import PodEvidence
from trivium.domain.ray_job_state import AttemptState


def test_a_ray_job_is_read_whole(case, t0):
    case.attempt().observed(
        ray_jobs=(
            {
                "metadata": {
                    "name": "a-train-1",
                    "uid": "u1",
                    "creationTimestamp": "2026-01-01T00:00:00Z",
                    "deletionTimestamp": "2026-01-01T00:00:00Z",
                },
                "status": {
                    "jobDeploymentStatus": "Failed",
                    "jobStatus": "FAILED",
                    "rayClusterName": "c1",
                    "startTime": "2026-01-01T00:00:00Z",
                    "reason": "AppFailed",
                    "message": "gone",
                },
            },
        )
    )
    assert case.observation.current == RayJobSeen(
        name="a-train-1",
        uid="u1",
        state=AttemptState.FAILED,
        deleting_since=t0,
        ray_cluster="c1",
        created_at=t0,
        starting_since=t0,
        reason="AppFailed",
        message="gone",
        end=None,
    )


@pytest.mark.parametrize("moment", [None, 5, "yesterday", "2026-01-01T00:00:00"])
def test_a_ray_job_that_is_only_a_name_says_nothing_more(case, moment):
    case.observed(ray_jobs=({"metadata": {"name": "r", "creationTimestamp": moment}},))
    assert case.observation.others == (
        RayJobSeen(
            name="r",
            uid="",
            state=AttemptState.STARTING,
            deleting_since=None,
            ray_cluster="",
            created_at=None,
            starting_since=None,
            reason="",
            message="",
            end=None,
        ),
    )


def test_a_profile_that_does_not_parse_is_said_to_be_broken_and_why(case):
    kind = {"apiVersion": "trivium.dev/v1alpha1", "kind": "ComputeProfile"}
    worker = {"cpu": 4, "memory": "8Gi"}
    short = {
        **kind,
        "metadata": {"name": "short"},
        "spec": {"image": "i", "rayVersion": "2.60.0", "worker": {"cpu": 4}},
    }
    odd = {"image": "i", "rayVersion": "2.60.0", "worker": worker, "x" * 600: 1}
    long = {**kind, "metadata": {"name": "long"}, "spec": odd}
    case.raw["profiles"] = (*case.raw["profiles"], short, long)
    assert list(case.observation.profiles) == ["cpu"]
    assert case.observation.broken_profiles == {
        "short": "spec.worker.memory: Field required",
        "long": "spec." + "x" * 507,
    }


def test_without_an_upstream_none_is_seen(case):
    assert case.observation.upstream is None


@pytest.mark.parametrize(
    ("metadata", "conditions", "want"),
    [
        ({}, [], {"uid": "", "deleting": False, "succeeded": False, "failed": False}),
        ({"uid": "u"}, ["Succeeded"], {"uid": "u", "deleting": False, "succeeded": True, "failed": False}),
        (
            {"uid": "u", "deletionTimestamp": "2026-01-01T00:00:00Z"},
            ["Failed"],
            {"uid": "u", "deleting": True, "succeeded": False, "failed": True},
        ),
    ],
)
def test_the_upstream_is_read_whole(case, metadata, conditions, want):
    said = [
        {"type": one, "status": "True", "reason": "R", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}
        for one in conditions
    ]
    status = {"message": "As it is.", "conditions": said}
    manifest = {"metadata": metadata, "status": status}
    seen = case.observed(upstream=manifest).observation.upstream
    assert seen == UpstreamSeen(**want, message="As it is.", status=JobStatus.model_validate(status), manifest=manifest)


def test_pods_of_clusters_that_are_over_are_not_evidence(case, t0):
    case.failed(ray_cluster="old").failed(number=2).attempt(number=3, ray_cluster="new")
    pods = tuple(PodEvidence(pod=f"p{n}", cluster=one) for n, one in enumerate(("old", "new", "", "next")))
    assert [one.cluster for one in case.observed(evidence=pods).observation.evidence] == ["new", "", "next"]
