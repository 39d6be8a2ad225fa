"""`kubectl trivium report` against a real API server: the pod is admitted under `restricted`, read from, and removed.

A thread stands for scheduler and kubelet: it takes the pod, runs its very command over a folder, and says that it ended.
"""

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from trivium.cli.exit_codes import ExitCode
from trivium_trainer.report import render_report

pytestmark = pytest.mark.slow
PLAN = {
    "image": "trainer:1",
    "profile": "cpu",
    "runs": {"claimName": "runs"},
    "workers": 1,
    "zeroStage": 0,
    "globalBatchSize": 8,
    "totalSteps": 9,
}
ATTEMPT = {"number": 1, "run": 1, "stage": "train", "rayJob": "chat-1", "startedAt": "2026-11-24T01:00:00Z"}


@pytest.fixture
def job(bench):
    return bench.job("chat", phase="Running", stage="train", plan=PLAN, attempts=[ATTEMPT])


def report_pods(bench) -> list[dict]:
    selector = "app.kubernetes.io/name=trivium-report"
    return json.loads(bench.plane.kubectl("get", "pods", "-n", bench.namespace, "-l", selector, "-o", "json"))["items"]


def run_pod(bench, log_node, claim: Path) -> None:
    """The next report pod: its program, with the claim's folder in the place of its mount."""
    while not (found := report_pods(bench)):
        pass
    pod = found[0]
    name, command = pod["metadata"]["name"], pod["spec"]["containers"][0]["command"]
    arguments = [one.replace("/trivium/runs", str(claim)) for one in command[1:]]
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    log_node.lines[name] = [
        f"2026-11-24T02:00:00.000000001Z {line}" for line in (done.stdout + done.stderr).splitlines()
    ]
    binding = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": name, "namespace": bench.namespace},
        "target": {"apiVersion": "v1", "kind": "Node", "name": "logs"},
    }
    path = f"/api/v1/namespaces/{bench.namespace}/pods/{name}/binding"
    bench.plane.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(binding))
    state = {"terminated": {"exitCode": done.returncode}}
    status = {
        "phase": "Failed" if done.returncode else "Succeeded",
        "containerStatuses": [
            {"name": "report", "image": "x", "imageID": "", "ready": False, "restartCount": 0, "state": state}
        ],
    }
    patch = json.dumps({"status": status})
    bench.plane.kubectl(
        "patch", "pod", name, "-n", bench.namespace, "--subresource=status", "--type=merge", "-p", patch
    )


def beside(bench, log_node, claim: Path) -> threading.Thread:
    thread = threading.Thread(target=run_pod, args=(bench, log_node, claim))
    thread.start()
    return thread


def test_the_report_comes_off_the_claim_and_the_pod_goes(bench, job, log_node, tmp_path: Path) -> None:
    run = tmp_path / bench.namespace / "SFTJob" / "chat" / job["metadata"]["uid"]
    run.mkdir(parents=True)
    thread = beside(bench, log_node, tmp_path)
    result = bench.call("report", "chat", "-o", str(tmp_path / "page.html"))
    thread.join()
    assert result.exception is None, result.exception
    assert result.stdout == f"{tmp_path / 'page.html'}\n"
    assert (tmp_path / "page.html").read_text() == render_report([run])
    assert report_pods(bench) == []


def test_a_run_directory_that_is_gone_is_told_and_the_pod_goes(bench, job, log_node, tmp_path: Path) -> None:
    thread = beside(bench, log_node, tmp_path)
    error = bench.call("report", "chat", "-o", str(tmp_path / "page.html")).exception
    thread.join()
    assert "sft/chat: its report could not be read: FileNotFoundError" in str(error)
    assert report_pods(bench) == []


def test_a_pod_that_finds_no_node_is_given_up(bench, job, tmp_path: Path) -> None:
    error = bench.call("report", "chat", "--timeout", "1", "-o", str(tmp_path / "page.html")).exception
    assert error.code == ExitCode.TIMED_OUT
    assert report_pods(bench) == []


def test_a_dry_run_prints_the_pod_and_makes_none(bench, job) -> None:
    printed = bench.call("report", "chat", "--dry-run").stdout
    assert report_pods(bench) == []
    created = bench.plane.kubectl("create", "-n", bench.namespace, "-o", "name", "-f", "-", stdin=printed)
    assert created.startswith("pod/trivium-report-")


def test_who_may_not_create_pods_is_told_which_role_may(bench, job, tenant, rules) -> None:
    reader = tenant("reader", rules("trivium.dev", "pretrainjobs", "sftjobs", "preferencejobs"))
    error = bench.call("report", "chat", kubeconfig=reader).exception
    assert 'cannot create resource "pods"' in str(error)
    assert "for the role `edit`" in str(error)
