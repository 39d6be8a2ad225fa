"""Checkpoints and outputs as the status keeps them: in the job and in the stage that made them."""

from datetime import timedelta

import pytest

from trivium.api.status import CheckpointStatus, Output
from trivium.domain.attempt_facts import fold_facts

RUN = "team/SFTJob/a/uid-a"


def folded(case):
    return fold_facts(
        case.status, job=case.job, observation=case.observation, now=case.time, interval=timedelta(seconds=10)
    )


def train_of(status):
    return next(one for one in status.stages if one.name == "train")


def test_a_new_checkpoint_is_the_jobs_and_its_stages(case, t0):
    case.planned().attempt().reported(
        received=5, checkpoint={"step": 20, "path": "train/checkpoints/step-20"}, checkpoints=[20, 10, 10]
    )
    status = folded(case)
    want = CheckpointStatus(
        step=20,
        uri=f"pvc://runs/{RUN}/train/checkpoints/step-20",
        at=t0 + timedelta(seconds=5),
        kept=(10, 20),
    )
    assert (status.checkpoint, train_of(status).checkpoint, status.stages[0].checkpoint) == (want, want, None)


def test_without_a_plan_a_checkpoint_lies_where_the_run_does(case):
    case.planned().attempt().record(plan=None).reported(checkpoint={"step": 20, "path": "c"})
    assert folded(case).checkpoint.uri == f"{RUN}/c"


def test_a_report_without_a_checkpoint_leaves_the_known_one(case, t0):
    known = CheckpointStatus(step=20, uri="u", at=t0)
    case.planned().attempt().record(checkpoint=known).reported(checkpoints=[1])
    assert folded(case).checkpoint == known


@pytest.mark.parametrize(
    ("kept", "said", "want"),
    [
        ((10, 20), [], (10, 20)),
        ((10, 20), [20, 10], (10, 20)),
        ((10, 20), [20], (20,)),
        ((), [20, 10], (10, 20)),
    ],
)
def test_the_known_checkpoint_keeps_its_time_and_learns_what_else_is_kept(case, t0, kept, said, want):
    known = CheckpointStatus(step=20, uri="u", at=t0, kept=kept)
    case.planned().attempt().record(checkpoint=known)
    case.reported(received=50, checkpoint={"step": 20, "path": "elsewhere"}, checkpoints=said)
    assert folded(case).checkpoint == known.model_copy(update={"kept": want})


def test_what_is_kept_of_a_known_checkpoint_is_the_stages_too(case, t0):
    case.planned().attempt().record(checkpoint=CheckpointStatus(step=20, uri="u", at=t0, kept=(10, 20)))
    status = folded(case.reported(checkpoint={"step": 20, "path": "c"}, checkpoints=[20]))
    assert train_of(status).checkpoint == status.checkpoint


@pytest.mark.parametrize("step", [10, 30])
def test_another_step_is_another_checkpoint_even_an_earlier_one(case, t0, step):
    case.planned().attempt().record(checkpoint=CheckpointStatus(step=20, uri="u", at=t0, kept=(20,)))
    case.reported(received=7, checkpoint={"step": step, "path": "c"})
    want = CheckpointStatus(step=step, uri=f"pvc://runs/{RUN}/c", at=t0 + timedelta(seconds=7))
    assert folded(case).checkpoint == want


@pytest.mark.parametrize(
    ("stage", "path", "report"),
    [("prepare", "prepare/output", None), ("train", "train/output/model", "train/report/report.html")],
)
def test_the_output_is_known_as_soon_as_its_stage_is_complete(case, stage, path, report):
    case.planned(stage=stage).attempt(stage=stage)
    end = {"outcome": "complete", "stage": stage, "outputDigest": "sha256:1"}
    status = folded(case.reported(stage=stage, end=end))
    outputs = {one.name: one.output for one in status.stages}
    assert outputs == {
        "prepare": None,
        "train": None,
        stage: Output(
            uri=f"pvc://runs/{RUN}/{path}",
            path=f"{RUN}/{path}",
            digest="sha256:1",
            report_uri=report and f"pvc://runs/{RUN}/{report}",
        ),
    }


@pytest.mark.parametrize(
    ("known", "said", "want"),
    [
        (None, None, ("concluded", "")),
        (None, "d2", ("concluded", "d2")),
        ("", None, ("known", "")),
        ("", "d2", ("concluded", "d2")),
        ("d1", None, ("known", "d1")),
        ("d1", "d2", ("known", "d1")),
    ],
)
def test_a_digest_is_added_once_and_never_changed(case, known, said, want):
    case.planned().attempt()
    if known is not None:
        prepare, train = case.status.stages
        train = train.model_copy(update={"output": Output(uri="known", digest=known)})
        case.record(stages=(prepare, train))
    case.reported(end={"outcome": "complete", "stage": "train", "outputDigest": said})
    output = train_of(folded(case)).output
    assert ("known" if output.uri == "known" else "concluded", output.digest) == want


@pytest.mark.parametrize(
    "end",
    [
        None,
        {"outcome": "failed", "stage": "train"},
        {"outcome": "stopped", "stage": "train"},
        {"outcome": "complete", "stage": "prepare"},
    ],
)
def test_what_is_not_complete_has_no_output(case, end):
    case.planned().attempt().reported(end=end)
    assert [one.output for one in folded(case).stages] == [None, None]


def test_a_stage_that_is_not_in_the_status_has_no_output(case):
    case.attempt().reported(end={"outcome": "complete", "stage": "train"})
    assert folded(case).stages == ()


def test_a_stage_without_a_plan_has_no_output(case):
    case.planned().attempt().record(stages=({"name": "train"},))
    assert train_of(folded(case.reported(end={"outcome": "complete", "stage": "train"}))).output is None
