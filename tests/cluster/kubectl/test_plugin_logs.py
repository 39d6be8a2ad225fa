"""`kubectl trivium logs` through a real API server, from a node that serves logs as a kubelet does.

The kubelet's part is recorded; that our pods print what they should is shown where pods really run.
"""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

pytestmark = pytest.mark.slow


def stamped(second: int, text: str) -> str:
    return f"2026-11-24T02:00:{second:02d}.123456789Z {text}"


def attempt(number: int, **more) -> dict:
    return {
        "number": number,
        "run": number,
        "stage": "train",
        "rayJob": f"chat-{number}",
        "startedAt": datetime.now(UTC).isoformat(),
        **more,
    }


FAILED = {
    "endedAt": "2026-11-24T01:00:00Z",
    "outcome": "Failed",
    "failure": {"class": "Infrastructure", "reason": "NoLastWord", "message": "The head is gone."},
}


@pytest.fixture
def job(bench, log_node):
    """Its second attempt runs: a submitter, a head and a worker."""
    made = bench.job("chat", phase="Running", stage="train", attempts=[attempt(1, **FAILED), attempt(2)])
    for name, role in (("chat-2-subm1", None), ("chat-2-x-head-hhhhh", "head"), ("chat-2-x-worker-wwwww", "worker")):
        bench.pod_of(made, attempt(2), name, role=role)
    log_node.lines = {
        "chat-2-subm1": [stamped(1, "[rank 0] step 1"), stamped(2, "(RayTrainWorker pid=7) [rank 1] step 1")],
        "chat-2-x-head-hhhhh": [stamped(0, "ray runtime started")],
        "chat-2-x-worker-wwwww": [stamped(0, "connected to the head")],
    }
    return made


def test_the_trainers_own_output_is_the_log(bench, job) -> None:
    result = bench.call("logs", "chat")
    assert result.stdout.splitlines() == ["[rank 0] step 1", "(RayTrainWorker pid=7) [rank 1] step 1"]
    assert result.stderr == "Attempt 2, stage train. Before it: 1 (train: NoLastWord).\n"


def test_every_pod_is_shown_with_its_name_when_asked(bench, job) -> None:
    lines = bench.call("logs", "sft/chat", "--all-pods").stdout.splitlines()
    assert lines == [
        "[trainer-subm1] [rank 0] step 1",
        "[trainer-subm1] (RayTrainWorker pid=7) [rank 1] step 1",
        "[head-hhhhh] ray runtime started",
        "[worker-wwwww] connected to the head",
    ]


def test_before_the_trainer_starts_ray_is_heard(bench, job) -> None:
    bench.plane.kubectl("delete", "pod", "chat-2-subm1", "-n", bench.namespace, "--grace-period=0", "--force")
    lines = bench.call("logs", "chat").stdout.splitlines()
    assert lines == ["[head-hhhhh] ray runtime started", "[worker-wwwww] connected to the head"]


def test_the_last_lines_come_with_their_times(bench, job) -> None:
    lines = bench.call("logs", "chat", "--tail", "1", "--timestamps").stdout.splitlines()
    assert lines == [stamped(2, "(RayTrainWorker pid=7) [rank 1] step 1")]


def test_an_attempt_whose_pods_are_gone_says_how_it_ended(bench, job) -> None:
    error = bench.call("logs", "chat", "--attempt", "1").exception
    assert "the pods of attempt 1 are gone" in str(error)
    assert "Infrastructure, NoLastWord: The head is gone." in str(error)


def test_an_attempt_that_never_was_is_named_with_those_that_were(bench, job) -> None:
    error = bench.call("logs", "chat", "--stage", "prepare").exception
    assert "there is no attempt of stage prepare. There are 1 (train), 2 (train)." in str(error)


def test_a_job_without_attempts_points_to_why(bench) -> None:
    bench.job("new")
    assert f"kubectl trivium why sft/new -n {bench.namespace}" in str(bench.call("logs", "new").exception)


def test_who_may_read_pods_and_no_logs_is_told(bench, job, tenant, rules) -> None:
    jobs = ("pretrainjobs", "sftjobs", "preferencejobs")
    reader = tenant("reader", rules("trivium.dev", *jobs), rules("", "pods"))
    error = bench.call("logs", "chat", kubeconfig=reader).exception
    assert 'cannot get resource "pods/log"' in str(error)


@pytest.fixture
def running(bench, job) -> Iterator["subprocess.Popen[str]"]:
    """`logs -f` as a process of its own: what it prints can be read while it runs."""
    command = [sys.executable, "-m", "trivium", "logs", "chat", "-f", "-n", bench.namespace]
    command += ["--kubeconfig", str(bench.plane.kubeconfig)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def test_following_goes_on_over_attempts_until_the_job_ends(bench, job, log_node, running) -> None:
    assert running.stdout is not None
    assert running.stdout.readline() == "[rank 0] step 1\n"
    third = attempt(3)
    bench.set_status(job, phase="Running", stage="train", attempts=[attempt(1, **FAILED), attempt(2, **FAILED), third])
    bench.pod_of(job, third, "chat-3-subm2")
    log_node.lines["chat-3-subm2"] = [stamped(9, "[rank 0] step 1 again")]
    assert running.stdout.readline() == "(RayTrainWorker pid=7) [rank 1] step 1\n"
    assert running.stdout.readline() == "[rank 0] step 1 again\n"
    bench.set_status(job, phase="Succeeded", stage="train", attempts=[attempt(1, **FAILED), third])
    for pod in ("chat-2-subm1", "chat-3-subm2"):
        bench.end(pod)
    log_node.open.set()
    rest, notes = running.communicate(timeout=30)
    assert (running.returncode, rest) == (0, "")
    assert "Attempt 3, stage train. Before it: 1 (train: NoLastWord), 2 (train: NoLastWord)." in notes


def test_a_connection_that_breaks_repeats_no_line(bench, job, log_node, running) -> None:
    assert running.stdout is not None
    assert running.stdout.readline() == "[rank 0] step 1\n"
    assert running.stdout.readline() == "(RayTrainWorker pid=7) [rank 1] step 1\n"
    log_node.lines["chat-2-subm1"].append(stamped(3, "[rank 0] step 2"))
    log_node.cut()
    assert running.stdout.readline() == "[rank 0] step 2\n"
    bench.set_status(job, phase="Failed", stage="train", attempts=[attempt(2, **FAILED)])
    bench.end("chat-2-subm1")
    log_node.open.set()
    rest, notes = running.communicate(timeout=30)
    assert (running.returncode, rest) == (0, "")
    assert notes.count("Attempt 2") == 1
    assert any("sinceTime" in query for query in log_node.asked)
