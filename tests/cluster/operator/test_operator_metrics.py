"""/metrics of real replicas on a real API server: the holder tells of jobs, its standby does not, promtool agrees."""

import json
import subprocess
import urllib.error
import urllib.request

import pytest

from testcluster.programs import binary

from .conftest import World, wait_for

pytestmark = pytest.mark.slow


def page_of(world: World, name: str) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{world.metrics_ports[name]}/metrics", timeout=5) as answer:
            return answer.read().decode()
    except (urllib.error.URLError, ConnectionError):
        return ""  # it has just been started


def test_the_holder_tells_of_jobs_and_its_standby_does_not(world: World) -> None:
    world.start("replica-a")
    wait_for(lambda: world.holder() == "replica-a")
    world.start("replica-b")
    world.add_namespace("team")
    world.add_job("team", "base")
    starting = 'trivium_jobs{kind="PretrainJob",namespace="team",phase="Starting"} 1.0'
    wait_for(lambda: starting in page_of(world, "replica-a"))
    page = page_of(world, "replica-a")
    assert "trivium_leader 1.0" in page
    assert 'trivium_job_transitions_total{kind="PretrainJob",to="Starting"} 1.0' in page
    assert 'trivium_starting_since_timestamp_seconds{kind="PretrainJob",name="base",namespace="team"}' in page
    assert 'trivium_api_requests_total{code="200",verb="PUT"}' in page
    assert 'trivium_reconcile_seconds_count{kind="PretrainJob"}' in page
    said = subprocess.run(
        [binary("promtool"), "check", "metrics"], input=page, text=True, capture_output=True, check=False
    )
    assert (said.returncode, said.stdout + said.stderr) == (0, "")
    standby = wait_for(lambda: page_of(world, "replica-b"))
    assert "trivium_leader 0.0" in standby
    assert "trivium_jobs{" not in standby
    assert 'name="base"' not in standby
    world.plane.kubectl("delete", "pretrainjob", "base", "-n", "team")
    wait_for(lambda: 'name="base"' not in page_of(world, "replica-a"))
    lines = [json.loads(line) for line in (world.folder / "replica-a.log").read_text().splitlines()]
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)
