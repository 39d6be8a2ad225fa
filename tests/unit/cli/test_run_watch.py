"""How a run ends: its exit code, and what it says when it is interrupted."""

import io
import json
from pathlib import Path

import pytest

from trivium.cli.errors import CommandError
from trivium.cli.json_display import JsonDisplay
from trivium.cli.run_watch import RunWatch
from trivium.cli.state_reader import StateReader
from trivium.local.orders import order_key

FAILED = [{"number": 1, "stage": "train", "failure": {"class": "Hang", "reason": "NoStep", "message": "m"}}]
FROM_BASE = {"model": {"from": {"job": {"kind": "PretrainJob", "name": "base"}}}}


@pytest.fixture
def run(tmp_path: Path):
    """Begin, show once and close; (over, exit code, notes)."""

    def play(wanted: list[dict], jobs: list[dict], *, known: list[dict] | None = None, interrupted: bool = False):
        stream = io.StringIO()
        watch = RunWatch(StateReader(tmp_path), JsonDisplay(stream), follow_logs=False)
        watch.begin([order_key(job) for job in wanted], known=jobs if known is None else known)
        over = watch.show(jobs)
        code = watch.close(jobs, interrupted=interrupted)
        notes = [json.loads(line).get("message", "") for line in stream.getvalue().splitlines()]
        return over, code, [note for note in notes if note]

    return play


def test_all_succeeded_is_zero(make, run) -> None:
    jobs = [make.sft_job("a", phase="Succeeded"), make.sft_job("b", phase="Succeeded")]
    assert run(jobs, jobs)[:2] == (True, 0)


def test_a_failure_gives_its_class(make, run) -> None:
    jobs = [make.sft_job("a", phase="Succeeded"), make.sft_job("b", phase="Failed", attempts=FAILED)]
    assert run(jobs, jobs)[:2] == (True, 82)


def test_a_running_job_is_waited_for_and_another_ones_end_is_not(make, run) -> None:
    running, other = make.sft_job("a", phase="Running"), make.sft_job("b", phase="Running")
    assert run([running], [running])[0] is False
    assert run([make.sft_job("c", phase="Succeeded")], [make.sft_job("c", phase="Succeeded"), other])[0] is True


def test_a_suspended_upstream_suspends_the_run(make, run) -> None:
    spec = {"model": {}, "runPolicy": {"suspend": True}}
    base = make.job("PretrainJob", "base", spec=spec, phase="Suspended")
    conditions = [make.condition("UpstreamReady", "False", "UpstreamNotFinished")]
    dependent = make.job("SFTJob", "chat", spec=FROM_BASE, phase="Waiting", conditions=conditions)
    assert run([dependent], [base, dependent])[:2] == (True, 90)


def test_a_refused_plan_is_a_users_error(make, run) -> None:
    job = make.sft_job("a", phase="Pending", message="m", conditions=[make.condition("Planned", "False", "DoesNotFit")])
    assert run([job], [job])[:2] == (True, 64)


def test_an_interruption_says_where_it_goes_on(make, run) -> None:
    job = make.sft_job("a", phase="Running", checkpoint={"step": 120})
    _, code, notes = run([job], [job], interrupted=True)
    assert code == 130
    assert "goes on where it was (sft/a from step 120)" in notes[-1]


def test_without_files_everything_unfinished_goes_on(make, run) -> None:
    jobs = [make.sft_job("a", phase="Succeeded"), make.sft_job("b", phase="Running")]
    assert run([], jobs)[0] is False


def test_without_files_and_without_work_there_is_nothing_to_do(make, run) -> None:
    with pytest.raises(CommandError, match="nothing is left to go on with"):
        run([], [make.sft_job("a", phase="Succeeded")])


def test_what_is_over_already_and_what_goes_on_beside_it_is_said(make, run) -> None:
    done, other = make.sft_job("a", phase="Succeeded"), make.sft_job("b", phase="Running")
    _, _, notes = run([done], [done, other])
    assert "sft/a is over already; --fresh runs it anew." in notes
    assert any(note.startswith("Also goes on: sft/b.") for note in notes)


def test_a_deleted_job_is_waited_for_no_more(make, run) -> None:
    assert run([make.sft_job("a")], [], known=[make.sft_job("a")])[:2] == (True, 0)
