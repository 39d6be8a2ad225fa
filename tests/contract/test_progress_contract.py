"""The trainer's reports and the operator's reading of them: written apart, held together here."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import trivium_trainer.layout as trainer_layout
from trivium.api import parse_job
from trivium.api.failure_classes import FailureClass
from trivium.api.plan_status import Plan, StoragePlan
from trivium.api.status import Attempt, JobStatus
from trivium.domain import end_record, report, run_layout
from trivium.domain.report_answer import STOP_COMMAND, answer_report
from trivium_trainer import failure as trainer_failure
from trivium_trainer import progress as trainer_progress
from trivium_trainer.config import RunConfig

JOB = {
    "apiVersion": "trivium.dev/v1alpha1",
    "kind": "SFTJob",
    "metadata": {"name": "a", "namespace": "team", "uid": "uid-a"},
    "spec": {"model": {"from": {"hub": {"repo": "r"}}}, "data": {"train": [{"from": {"hub": {"repo": "d"}}}]}},
}


def of(model, **fields):
    """Instances of a model, by its Python names (hypothesis' own `builds` takes the aliases for more fields)."""
    return st.fixed_dictionaries(fields).map(lambda values: model(**values))


texts = st.text(max_size=200)
inspections = of(
    trainer_progress.Inspection,
    architecture=st.just({"model_type": "llama", "rope": {"factor": 2.0}}),
    sources=st.lists(
        of(
            trainer_progress.SourceInspection,
            files=st.integers(0, 10),
            rows=st.integers(0, 10),
            skipped=st.integers(0, 10),
            over_long=st.integers(0, 10),
            tokens=st.integers(0, 10),
            trained_tokens=st.integers(0, 10),
            name=st.just("train[0]"),
            digest=st.just("sha256:1"),
            revision=st.none(),
            first_bad_records=st.lists(texts, max_size=3),
        ),
        max_size=2,
    ),
    **{
        name: st.integers(0, 1 << 40)
        for name in ("parameters", "vocabulary", "added_tokens", "max_length", "train_sequences", "train_examples")
    },
    train_tokens=st.integers(0, 1 << 50),
    evaluation_sequences=st.dictionaries(st.just("held-out"), st.integers(0, 9)),
    length_histogram=st.dictionaries(st.just("256"), st.integers(0, 9)),
    packing=st.booleans(),
    prepared_key=st.just("k"),
    tokenizer_digest=st.just("t"),
)
ends = of(
    trainer_failure.EndRecord,
    outcome=st.sampled_from(["complete", "failed", "stopped"]),
    stage=st.sampled_from(["prepare", "train"]),
    step=st.integers(0, 1 << 40),
    output_digest=st.none() | st.just("sha256:0123456789abcdef"),
    restarts=st.integers(0, 1_000_000),
    preemptions=st.integers(0, 1_000_000),
    earlier_restarts=st.integers(0, 1_000_000),
    failure=st.none()
    | of(
        trainer_failure.Failure,
        failure_class=st.sampled_from(list(trainer_failure.FailureClass)),
        reason=st.just("MissingColumn"),
        message=texts,
        remedy=texts,
        rank=st.none() | st.integers(0, 4096),
        exit_code=st.none() | st.integers(0, 255),
        step=st.none() | st.integers(1, 1 << 40),
        data_step=st.none() | st.integers(1, 1 << 40),
    ),
)
reports = of(
    trainer_progress.ProgressReport,
    job_uid=st.just("uid-a"),
    stage=st.sampled_from(["prepare", "train"]),
    sequence=st.integers(0, 10**12),
    step=st.integers(0, 1 << 40),
    total_steps=st.integers(0, 1 << 40),
    epoch=st.floats(),
    tokens=st.integers(0, 1 << 53),
    loss=st.none() | st.floats(),
    tokens_per_second=st.none() | st.floats(),
    restarts=st.integers(0, 1000),
    preemptions=st.integers(0, 1000),
    earlier_restarts=st.integers(0, 1000),
    checkpoints=st.lists(st.integers(0, 1 << 40), max_size=trainer_progress.MAX_CHECKPOINTS),
    seconds=st.dictionaries(st.sampled_from(trainer_progress.SecondsKind.__args__), st.floats(0, 1e12)),
    first_step_seconds=st.none() | st.floats(0, 1e9),
    memory_bytes=st.none() | st.integers(0, 1 << 53),
    world_size=st.integers(1, 4096),
    metrics=st.dictionaries(
        st.sampled_from(["a", "learning_rate", "reward_margin", "z" * 63]), st.floats(), max_size=4
    ),
    checkpoint=st.none() | st.just(trainer_progress.CheckpointReport(step=5, path="train/checkpoints/step-00000005")),
    inspection=st.none() | inspections,
    message=st.none() | texts,
    end=st.none() | ends,
)


@given(reports)
def test_whatever_the_trainer_may_say_is_understood(said):
    heard = report.ProgressReport.model_validate_json(said.model_dump_json(by_alias=True, exclude_none=True))
    assert (heard.stage, heard.sequence, heard.step, heard.tokens) == (
        said.stage,
        said.sequence,
        said.step,
        said.tokens,
    )
    assert heard.activity == said.activity
    assert (heard.end is None) == (said.end is None)
    assert (heard.inspection is None) == (said.inspection is None)


def test_every_activity_of_the_trainer_is_known():
    for activity in trainer_progress.Activity.__args__:
        said = trainer_progress.ProgressReport(job_uid="u", stage="train", sequence=0, activity=activity)
        assert report.ProgressReport.model_validate(said.model_dump(by_alias=True)).activity == activity


@given(ends)
def test_the_last_log_line_is_read_as_it_was_written(written):
    read = end_record.parse_end_record("Ray says:\n" + written.to_log_line() + "\n")
    assert (read.outcome, read.stage, read.step) == (written.outcome, written.stage, written.step)
    assert read.output_digest == written.output_digest
    counts = ("restarts", "preemptions", "earlier_restarts")
    assert [getattr(read, name) for name in counts] == [getattr(written, name) for name in counts]
    if written.failure is not None:
        assert (read.failure.failure_class, read.failure.reason) == (
            written.failure.failure_class,
            written.failure.reason,
        )


def test_the_prefix_and_every_class_of_the_trainer_are_the_operators_too():
    assert end_record.RECORD_PREFIX == trainer_failure.RECORD_PREFIX
    assert {str(c) for c in trainer_failure.FailureClass} <= {str(c) for c in FailureClass}


@pytest.mark.parametrize("suspended", [False, True])
def test_the_trainer_understands_the_answer(suspended):
    attempt = Attempt(number=3, stage="train", ray_job="r", started_at="2026-01-01T00:00:00Z")
    status = JobStatus(suspend_requested_at="2026-01-01T00:00:00Z" if suspended else None)
    said = trainer_progress.ProgressReport(job_uid="uid-a", stage="train", sequence=0)
    heard = report.ProgressReport.model_validate_json(said.model_dump_json(by_alias=True, exclude_none=True))
    answer = trainer_progress.ReportAnswer.model_validate(answer_report(parse_job(JOB), status, attempt, heard))
    assert (answer.attempt, answer.remaining_restarts) == (3, 5)
    assert answer.command == (STOP_COMMAND if suspended else None)


def test_both_sides_mean_the_same_folders():
    job = parse_job(JOB)
    config = RunConfig.model_validate(
        {
            "job": {"kind": "SFTJob", "namespace": "team", "name": "a", "uid": "uid-a", "specDigest": "d"},
            "stage": "prepare",
            "recipe": "sft",
            "runs": "/trivium/runs",
            "model": {},
            "data": {"train": [{"name": "train[0]", "source": {"path": "/x"}}]},
        }
    )
    directory = trainer_layout.run_directory(config)
    root = trainer_layout.mounted(config.runs)
    assert str(directory.root.relative_to(root)) == run_layout.run_path(job)
    plan = Plan(runs=StoragePlan(claim_name="runs", path="demo"))
    output = run_layout.stage_output(job, plan, stage="train", digest="sha256:1")
    stage = directory.stage("train")
    assert output.path == str(stage.model.relative_to(root))
    assert output.uri == f"pvc://runs/demo/{output.path}"
    assert output.report_uri == f"pvc://runs/demo/{stage.report_html.relative_to(root)}"
    assert output.adapter_uri is None
    checkpoint = run_layout.checkpoint_uri(job, plan.runs, stage="train", step=40)
    assert checkpoint == f"pvc://runs/demo/{stage.checkpoint(40).relative_to(root)}"


def test_both_sides_know_the_same_kinds_of_time_and_as_many_checkpoints():
    assert set(trainer_progress.SecondsKind.__args__) == report.SECONDS_KINDS
    assert trainer_progress.MAX_CHECKPOINTS == report.MAX_CHECKPOINTS


@given(reports)
def test_times_checkpoints_and_preemptions_arrive_as_they_were_said(said):
    heard = report.ProgressReport.model_validate_json(said.model_dump_json(by_alias=True, exclude_none=True))
    assert (heard.preemptions, list(heard.checkpoints)) == (said.preemptions, said.checkpoints)
    assert heard.earlier_restarts == said.earlier_restarts
    assert (heard.memory_bytes, heard.first_step_seconds) == (said.memory_bytes, said.first_step_seconds)
    assert heard.seconds == {kind: seconds for kind, seconds in said.seconds.items() if seconds <= 3.2e9}


@given(ends)
def test_where_a_run_diverged_arrives_as_it_was_said(written):
    read = end_record.parse_end_record(written.to_log_line())
    if written.failure is not None:
        assert (read.failure.step, read.failure.data_step) == (written.failure.step, written.failure.data_step)
