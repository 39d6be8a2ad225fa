"""The statuses that the runner writes, read by the same code that reads KubeRay's."""

from datetime import UTC, datetime

import pytest

from trivium.domain.end_record import parse_end_record
from trivium.domain.pod_evidence import read_pod_evidence
from trivium.domain.ray_job_state import ENDED, AttemptState, read_ray_job_state
from trivium.local import ray_objects

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
STARTED = ray_objects.initializing(ray_cluster="a-local", at=AT)
RUNNING = ray_objects.running(STARTED, job_id="a", at=AT)


@pytest.mark.parametrize(
    ("status", "want"),
    [
        ({}, AttemptState.STARTING),
        (STARTED, AttemptState.STARTING),
        (RUNNING, AttemptState.RUNNING),
        (ray_objects.ended(RUNNING, exit_code=0, log="", at=AT), AttemptState.SUCCEEDED),
        (ray_objects.ended(RUNNING, exit_code=65, log="", at=AT), AttemptState.FAILED),
        (ray_objects.lost(RUNNING, at=AT), AttemptState.FAILED),
        (ray_objects.not_started(STARTED, message="disk full", at=AT), AttemptState.FAILED),
    ],
)
def test_reconcile_reads_every_status_as_meant(status: dict, want: AttemptState) -> None:
    assert read_ray_job_state({"status": status}) == want
    assert ray_objects.is_terminal(status) == (want in ENDED)


def test_the_trainers_last_line_reaches_the_message() -> None:
    record = 'TRIVIUM-RECORD {"outcome":"failed","stage":"train","step":7}'
    log = "\n".join([*(f"line {number}" for number in range(100)), record])
    message = ray_objects.ended(RUNNING, exit_code=65, log=log, at=AT)["message"]
    assert "failed with exit code 65" in message
    assert len(message.splitlines()) == 1 + 10  # Ray keeps the last ten lines
    assert parse_end_record(message).step == 7


def test_a_long_line_is_cut_at_its_start() -> None:
    message = ray_objects.ended(RUNNING, exit_code=1, log="x" * 50_000 + "end", at=AT)["message"]
    assert message.endswith("end")
    assert len(message) < 20_200


def evidence(status: dict):
    pod = {"metadata": {"name": "p"}, "spec": {"nodeName": "local"}, "status": status}
    return read_pod_evidence(pod)


def test_a_running_pod_is_no_trouble_and_an_ended_one_tells_its_exit_code() -> None:
    running = ray_objects.pod_running("ray", at=AT)
    assert not evidence(running).is_trouble
    assert evidence(ray_objects.pod_ended(running, exit_code=65, oom_killed=False, at=AT)).exit_code == 65
    assert not evidence(ray_objects.pod_ended(running, exit_code=0, oom_killed=False, at=AT)).is_trouble


def test_a_kill_for_memory_is_told_apart() -> None:
    running = ray_objects.pod_running("ray", at=AT)
    killed = evidence(ray_objects.pod_ended(running, exit_code=1, oom_killed=True, at=AT))
    assert (killed.out_of_memory, killed.exit_code) == (True, 137)
    assert not evidence(ray_objects.pod_ended(running, exit_code=137, oom_killed=False, at=AT)).out_of_memory


def test_a_lost_pod_was_taken_by_its_node_also_when_it_never_ran() -> None:
    for before in ({}, ray_objects.pod_running("ray", at=AT)):
        assert evidence(ray_objects.pod_lost(before, at=AT)).disruption == "TerminationByKubelet"


def test_a_container_that_cannot_be_made_says_why() -> None:
    waiting = evidence(ray_objects.pod_waiting("ray", message="Secret trivium-hub is not there"))
    assert "trivium-hub" in waiting.configuration_error
