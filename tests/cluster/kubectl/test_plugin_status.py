"""`kubectl trivium status` against a real API server, and every way in which it may be refused."""

import json
from pathlib import Path

import pytest

from trivium.cli.errors import CommandError
from trivium.cli.exit_codes import ExitCode

pytestmark = pytest.mark.slow
RUNNING = {
    "phase": "Running",
    "stage": "train",
    "message": "Attempt 1 is training.",
    "progress": {"step": 30, "totalSteps": 90, "loss": 2.5, "tokensPerSecond": 12345.0, "eta": "1h30m"},
}


def test_kubectl_finds_the_plugin_and_shows_the_jobs(bench, plugin_as_kubectl_finds_it) -> None:
    bench.job("chat", **RUNNING)
    done = plugin_as_kubectl_finds_it("status", "-n", bench.namespace)
    assert done.returncode == 0, done.stderr
    header, row = done.stdout.splitlines()
    assert header.split() == ["JOB", "PHASE", "STAGE", "STEP", "LOSS", "TOKENS/S", "ETA", "RESTARTS", "AGE"]
    assert row.split()[:7] == ["sft/chat", "Running", "train", "30/90", "2.5000", "12.3k", "1h30m"]


def test_options_may_stand_before_the_command(bench, plugin_as_kubectl_finds_it) -> None:
    bench.job("chat")
    done = plugin_as_kubectl_finds_it("-n", bench.namespace, "status")
    assert "sft/chat" in done.stdout


def test_jobs_of_every_namespace_are_shown_with_theirs(bench) -> None:
    bench.job("chat")
    lines = bench.call("status", "-A").output.splitlines()
    assert lines[0].split()[0] == "NAMESPACE"
    assert [bench.namespace, "sft/chat"] in [line.split()[:2] for line in lines]


def test_wide_shows_queue_and_workers(bench) -> None:
    bench.job("chat", **RUNNING, queue="gpus")
    header, row = bench.call("status", "-o", "wide").output.splitlines()
    assert header.split()[-5:] == ["WORKERS", "GPUS", "GOODPUT", "QUEUE", "OUTPUT"]
    assert "gpus" in row


def test_tools_get_the_objects_as_kubectl_would_give_them(bench) -> None:
    bench.job("chat", **RUNNING)
    everything = json.loads(bench.call("status", "-o", "json").output)
    assert [one["metadata"]["name"] for one in everything["items"]] == ["chat"]
    one = json.loads(bench.call("status", "sft/chat", "-o", "json").output)
    assert (one["apiVersion"], one["kind"], one["status"]["phase"]) == ("trivium.dev/v1alpha1", "SFTJob", "Running")


def test_one_job_is_shown_with_its_events(bench) -> None:
    job = bench.job("chat", **RUNNING)
    bench.make(
        {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": "chat.1"},
            "involvedObject": {"kind": "SFTJob", "name": "chat", "uid": job["metadata"]["uid"]}
            | {"namespace": bench.namespace},
            "reason": "AttemptStarted",
            "message": "Attempt 1 of stage train begins.",
            "type": "Normal",
            "lastTimestamp": "2026-11-24T02:00:00Z",
        }
    )
    shown = bench.call("status", "chat").output
    assert "Attempt 1 is training." in shown
    assert "AttemptStarted" in shown
    assert f"kubectl trivium report sft/chat -n {bench.namespace}" in shown


def test_a_job_of_three_kinds_may_be_meant(bench) -> None:
    bench.job("chat")
    assert "no such job" in str(bench.call("status", "pretrain/chat").exception)


def test_a_namespace_without_jobs_says_so(bench) -> None:
    result = bench.call("status")
    assert (result.exit_code, f"No job in namespace {bench.namespace}." in result.stderr) == (0, True)


def test_who_may_not_list_jobs_is_told_what_is_missing(bench, tenant) -> None:
    error = bench.call("status", kubeconfig=tenant("nobody")).exception
    assert isinstance(error, CommandError)
    assert error.code == ExitCode.NO_ACCESS
    assert 'cannot list resource "pretrainjobs" in API group "trivium.dev"' in str(error)
    assert "for the role `view`" in str(error)


def test_who_may_read_jobs_and_no_events_sees_the_job(bench, tenant, rules) -> None:
    bench.job("chat", **RUNNING)
    reader = tenant("reader", rules("trivium.dev", "pretrainjobs", "sftjobs", "preferencejobs"))
    result = bench.call("status", "chat", kubeconfig=reader)
    assert "Attempt 1 is training." in result.stdout
    assert "You may not read the events" in result.stderr


def test_unknown_credentials_are_no_traceback(bench, plane) -> None:
    error = bench.call("status", kubeconfig=plane.kubeconfig_of("wrong", name="wrong")).exception
    assert "the cluster does not know you" in str(error)


def test_a_cluster_that_does_not_answer_is_named(bench, tmp_path: Path) -> None:
    config = json.loads(bench.plane.kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    path = tmp_path / "config"
    path.write_text(json.dumps(config))
    error = bench.call("status", kubeconfig=path).exception
    assert "https://127.0.0.1:1 (context test) cannot be reached" in str(error)
    assert error.code == ExitCode.NO_ACCESS


def test_a_context_that_is_not_there_is_named(bench) -> None:
    error = bench.call("status", "--context", "elsewhere").exception
    assert "context elsewhere" in str(error)
    assert "kubectl config get-contexts" in str(error)


def test_another_user_may_be_asked_for(bench) -> None:
    error = bench.call("status", "--as", "jane").exception
    assert 'User "jane" cannot list' in str(error)
