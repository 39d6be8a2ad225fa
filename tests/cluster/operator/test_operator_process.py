"""The operator as a process on a real API server: one RayJob per attempt, whoever is killed and whatever restarts.

Covered: the first pass; a second process that finds its work done; the leader killed; the API server killed; a job
deleted while nobody looks; a job that cannot be; a clean end. Left out: KubeRay itself, so no attempt gets further
than its RayJob (tests/cluster/full).
"""

import signal

import pytest

from .conftest import World, wait_for

pytestmark = pytest.mark.slow


def test_a_job_becomes_one_ray_job_that_is_recorded_first(world: World) -> None:
    world.start("replica-a")
    world.add_namespace("team")
    world.add_job("team", "base")
    (ray_job,) = wait_for(lambda: world.ray_jobs("team"))
    job = world.get("pretrainjob", "base", namespace="team")
    assert ray_job["metadata"]["name"] == job["status"]["attempts"][0]["rayJob"]
    assert [(verb, resource) for _, verb, resource, _ in world.writes()][:1] == [("update", "pretrainjobs")]
    assert world.get("configmap", ray_job["metadata"]["name"], namespace="team")["immutable"]
    assert world.get("networkpolicy", ray_job["metadata"]["name"], namespace="team")
    events = wait_for(lambda: world.plane.kubectl("get", "events", "-n", "team"))
    assert "AttemptStarted" in events
    assert "finalizers" not in job["metadata"]


def test_a_new_process_finds_its_work_done_and_writes_nothing(world: World) -> None:
    first = world.start("replica-a")
    world.add_namespace("team")
    world.add_job("team", "base")
    wait_for(lambda: world.ray_jobs("team"))
    wait_for(lambda: world.get("pretrainjob", "base", namespace="team")["status"]["phase"] == "Starting")
    assert first.end(signal.SIGTERM) == 0
    assert world.holder() == "", "a clean end releases the Lease"
    since = world.audit_length()
    world.start("replica-b")
    world.add_job("team", "sentinel")  # its RayJob comes after a pass over everything that was there
    wait_for(lambda: len(world.ray_jobs("team")) == 2)
    assert [write for write in world.writes(since=since) if "base" in write[3]] == []


def test_only_the_holder_writes_and_its_standby_takes_over(world: World) -> None:
    world.start("replica-a")
    wait_for(lambda: world.holder() == "replica-a")
    world.start("replica-b")
    world.add_namespace("team")
    world.add_job("team", "before")
    wait_for(lambda: world.ray_jobs("team"))
    assert {user for user, *_ in world.writes()} == {"replica-a"}
    world.replicas["replica-a"].kill()
    since = world.audit_length()
    world.add_job("team", "after")
    wait_for(lambda: len(world.ray_jobs("team")) == 2)
    assert {user for user, *_ in world.writes(since=since)} == {"replica-b"}


def test_a_restart_of_the_api_server_loses_nothing(world: World) -> None:
    replica = world.start("replica-a")
    wait_for(lambda: world.holder() == "replica-a")
    world.add_namespace("team")
    world.add_job("team", "before")
    wait_for(lambda: world.ray_jobs("team"))
    world.plane.restart_api_server()
    world.add_job("team", "after")
    wait_for(lambda: len(world.ray_jobs("team")) == 2)
    assert replica.is_running()


def test_a_job_deleted_while_nobody_looks_leaves_nothing_behind(world: World) -> None:
    world.start("replica-a")
    world.add_namespace("team")
    world.add_job("team", "base")
    wait_for(lambda: world.ray_jobs("team"))
    world.replicas["replica-a"].kill()
    world.plane.kubectl("delete", "pretrainjob", "base", "-n", "team", "--timeout=20s")
    wait_for(lambda: not world.ray_jobs("team"))
    world.start("replica-b")
    world.add_job("team", "sentinel")
    (left,) = wait_for(lambda: world.ray_jobs("team"))
    assert "sentinel" in left["metadata"]["name"]


def test_a_namespace_that_is_deleted_while_nobody_looks_goes(world: World) -> None:
    world.start("replica-a")
    world.add_namespace("team")
    world.add_job("team", "base")
    wait_for(lambda: world.ray_jobs("team"))
    world.replicas["replica-a"].kill()
    world.plane.kubectl("delete", "namespace", "team", "--timeout=60s")


def test_a_job_whose_profile_is_missing_says_so_and_runs_when_it_comes(world: World) -> None:
    world.start("replica-a")
    world.add_namespace("team")
    world.add_job("team", "base", compute={"profile": "h100"})

    def said() -> str:
        status = world.get("pretrainjob", "base", namespace="team").get("status") or {}
        return next((c["message"] for c in status.get("conditions", []) if c["status"] == "False"), "")

    assert "h100" in wait_for(said)
    assert world.ray_jobs("team") == []
    profile = world.get("computeprofile", "cpu", namespace="")
    world.plane.apply(
        {
            "apiVersion": profile["apiVersion"],
            "kind": "ComputeProfile",
            "metadata": {"name": "h100"},
            "spec": profile["spec"],
        }
    )
    wait_for(lambda: world.ray_jobs("team"))


def test_a_suspended_job_holds_nothing_and_goes_on(world: World) -> None:
    world.start("replica-a")
    world.add_namespace("team")
    world.add_job("team", "base", runPolicy={"suspend": True})
    wait_for(lambda: world.get("pretrainjob", "base", namespace="team").get("status", {}).get("phase") == "Suspended")
    assert world.ray_jobs("team") == []
    world.plane.kubectl(
        "patch", "pretrainjob", "base", "-n", "team", "--type=merge", "-p", '{"spec":{"runPolicy":{"suspend":false}}}'
    )
    wait_for(lambda: world.ray_jobs("team"))
