"""`kubectl trivium suspend` and `resume`: a patch with the person's own rights, and the wait for what comes of it."""

import threading
from collections.abc import Callable

import pytest

from trivium.cli.exit_codes import ExitCode

pytestmark = pytest.mark.slow


def suspended(bench) -> bool:
    return bench.read("SFTJob", "chat")["spec"].get("runPolicy", {}).get("suspend", False)


def beside(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_suspend_and_resume_change_the_spec_and_nothing_else(bench) -> None:
    before = bench.job("chat", phase="Running")
    assert bench.call("suspend", "chat").output == "sft/chat saves a checkpoint and stops.\n"
    assert suspended(bench)
    assert bench.call("suspend", "chat").output == "sft/chat is suspended already.\n"
    assert bench.call("resume", "chat").output == "sft/chat goes on.\n"
    after = bench.read("SFTJob", "chat")
    before["spec"].setdefault("runPolicy", {})["suspend"] = False
    assert after["spec"] == before["spec"]
    managers = {one["manager"] for one in after["metadata"]["managedFields"]}
    assert "kubectl-trivium" in managers


def test_a_job_that_is_over_is_not_suspended(bench) -> None:
    bench.job("chat", phase="Succeeded")
    error = bench.call("suspend", "chat").exception
    assert (str(error), error.code) == ("sft/chat is over (Succeeded): there is nothing to suspend.", ExitCode.INVALID)


def test_waiting_ends_when_the_operator_has_freed_everything(bench) -> None:
    job = bench.job("chat", phase="Running", message="Attempt 1 is training.")

    def act() -> None:
        while not suspended(bench):
            pass
        bench.set_status(
            job, phase="Suspended", checkpoint={"step": 40, "uri": "pvc://runs/x", "at": "2026-11-24T02:00:00Z"}
        )

    thread = beside(act)
    result = bench.call("suspend", "chat", "--wait", "--timeout", "30")
    thread.join()
    assert result.stdout.splitlines()[-1] == "sft/chat is suspended at step 40 and holds nothing."


def test_a_status_of_an_older_spec_does_not_end_the_wait(bench) -> None:
    bench.job("chat", phase="Suspended")
    bench.call("suspend", "chat")
    error = bench.call("suspend", "chat", "--wait", "--timeout", "1").exception
    assert error.code == ExitCode.TIMED_OUT
    assert f"kubectl trivium why sft/chat -n {bench.namespace}" in str(error)


def test_waiting_for_a_job_that_fails_says_why(bench) -> None:
    job = bench.job("chat", phase="Suspended")
    failure = {"class": "DataError", "reason": "NoRows", "message": "nothing to train on"}
    attempt = {
        "number": 1,
        "stage": "train",
        "rayJob": "chat-1",
        "startedAt": "2026-11-24T01:00:00Z",
        "endedAt": "2026-11-24T02:00:00Z",
        "outcome": "Failed",
        "failure": failure,
    }
    bench.set_status(job, phase="Failed", attempts=[attempt])
    error = bench.call("resume", "chat", "--wait").exception
    assert str(error) == "sft/chat has failed: NoRows: nothing to train on"


def test_who_may_only_read_is_told_which_role_changes_jobs(bench, tenant, rules) -> None:
    bench.job("chat", phase="Running")
    reader = tenant("reader", rules("trivium.dev", "pretrainjobs", "sftjobs", "preferencejobs"))
    error = bench.call("suspend", "chat", kubeconfig=reader).exception
    assert 'cannot patch resource "sftjobs"' in str(error)
    assert "for the role `edit`" in str(error)
    assert not suspended(bench)
