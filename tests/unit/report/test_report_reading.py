"""Reading a run directory: torn, damaged, newer and repeated lines, and ends that disagree."""

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trivium_trainer.config import SkipWindow
from trivium_trainer.report import load_run, render_report
from trivium_trainer.report.reading import clean
from trivium_trainer.report_data import StepLine


@pytest.fixture
def run(tmp_path, jobs):
    return jobs[1].long(steps=40).write(tmp_path)


def data_of(run):
    return run / "train" / "report" / "data.jsonl"


def training(run):
    stage = load_run(run).training
    assert stage is not None
    return stage


def test_a_whole_run_is_read_without_a_note(run):
    report = load_run(run)
    assert [stage.name for stage in report.stages] == ["prepare", "train"]
    assert report.outcome == "complete"
    assert [line.step for line in training(run).steps] == list(range(1, 41))
    assert training(run).notes == ()


def test_a_torn_last_line_is_ignored_without_a_note(run):
    with data_of(run).open("a") as file:
        file.write('{"at": 5, "kind": "st')
    assert training(run).notes == ()
    assert len(training(run).steps) == 40


def test_a_damaged_line_in_the_middle_is_noted_with_its_number(run):
    lines = data_of(run).read_text().splitlines(keepends=True)
    data_of(run).write_text("".join([*lines[:3], "garbage\n", *lines[3:]]))
    assert training(run).notes == ("train: 1 line could not be read and were left out (first: line 4).",)
    assert len(training(run).steps) == 40


def test_a_kind_of_line_from_a_newer_writer_is_noted(run):
    with data_of(run).open("a") as file:
        file.write('{"at": 5, "kind": "hologram"}\n')
    assert "a kind that this version does not know were left out (hologram)" in training(run).notes[0]


def test_fields_of_a_newer_writer_are_left_out_and_noted_at_any_depth(run):
    lines = [json.loads(line) for line in data_of(run).read_text().splitlines()]
    for line in lines:
        if line["kind"] == "step":
            line["colour"] = "green"
        if line["kind"] == "inspection":
            line["inspection"]["sources"][0]["smell"] = "none"
    data_of(run).write_text("".join(json.dumps(line) + "\n" for line in lines))
    stage = training(run)
    assert len(stage.steps) == 40
    assert stage.inspection is not None
    assert stage.inspection.sources[0].rows == 2393
    assert stage.notes == (
        "train: fields that this version does not know were left out (inspection.sources.smell, step.colour).",
    )


def test_after_a_restart_the_later_line_of_a_step_counts(tmp_path, jobs):
    stage = training(jobs[1].long(steps=40).restarted(at=30).write(tmp_path))
    assert [line.step for line in stage.steps] == list(range(1, 41))
    # The second start resumes from step 28 (a checkpoint every 4 steps) and so repeats 29 and 30.
    assert [(start.first_step, start.last_step, start.outcome) for start in stage.starts] == [
        (1, 30, "interrupted"),
        (29, 40, "complete"),
    ]
    assert stage.steps[28].at > stage.starts[1].began_at


def test_after_a_rollback_what_was_trained_on_the_left_out_data_is_gone(tmp_path, jobs):
    job = jobs[1].long(steps=40)
    run = job.running(at=30).write(tmp_path)
    window = SkipWindow(data_step=21, steps=10, rollback_to=20)
    again = job._run("train", job.began + 500, resumed=20).model_copy(update={"skips": [window]})
    step = StepLine(at=again.at + 1, step=21, loss=0.5, learning_rate=1e-3, tokens=1, tokens_per_second=1)
    with data_of(run).open("a") as file:
        file.writelines(line.model_dump_json(by_alias=True) + "\n" for line in (again, step, again))
    stage = training(run)
    assert [line.step for line in stage.steps] == list(range(1, 22))
    assert stage.steps[-1].loss == 0.5
    assert max(line.step for line in stage.checkpoints) == 20
    assert max(line.step for line in stage.evaluations) == 20
    assert stage.starts[0].last_step == 30  # the timeline still tells how far it came
    page = render_report([run])
    assert "data steps 21 to 30, going on from the checkpoint of step 20" in page


def test_the_seconds_at_work_leave_out_the_gap_between_two_starts(tmp_path, jobs):
    stage = training(jobs[1].long(steps=40).restarted(at=30).write(tmp_path))
    first, second = stage.starts
    # 9 s lie between the first start's last line and the second start.
    assert stage.seconds == pytest.approx(second.last_at - first.began_at - 9)


def test_end_json_outranks_the_end_lines(run):
    (run / "train" / "end.json").write_text(json.dumps({"outcome": "complete", "stage": "train", "step": 41}))
    assert training(run).end is not None
    assert training(run).end.step == 41


def test_a_failed_end_json_of_an_earlier_start_does_not_hide_that_the_job_runs_again(tmp_path, jobs):
    run = jobs[1].running(at=20).write(tmp_path)
    record = run / "train" / "end.json"
    record.write_text(json.dumps({"outcome": "failed", "stage": "train"}))
    began = training(run).starts[-1].began_at
    os.utime(record, (began - 60, began - 60))
    assert training(run).outcome == "open"
    os.utime(record, (began + 60, began + 60))
    assert training(run).outcome == "failed"


def test_an_end_json_that_is_no_json_falls_back_to_the_end_line(run):
    (run / "train" / "end.json").write_text("{")
    assert training(run).outcome == "complete"


def test_a_job_that_has_only_prepared_is_not_complete(tmp_path, jobs):
    run = jobs[0].write(tmp_path)
    data_of(run).unlink()
    report = load_run(run)
    assert report.training is None
    assert report.outcome == "open"
    assert report.inspection is not None


def test_characters_that_no_page_can_carry_are_replaced():
    assert clean({"a\x00": ["\ud800b", "c\n\td\x1b"]}) == {"a\ufffd": ["?b", "c\n\td\ufffd"]}


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1), tail=st.binary(max_size=80))
def test_no_cut_and_no_bytes_after_it_make_reading_fail(run, share, tail):
    whole = data_of(run).read_bytes()
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "demo" / "SFTJob" / "cut" / "uid"
        data_of(copy).parent.mkdir(parents=True)
        data_of(copy).write_bytes(whole[: int(share * len(whole))] + tail)
        steps = [line.step for line in load_run(copy).stages[0].steps]
    assert steps == list(range(1, len(steps) + 1))


def test_the_ledger_says_why_a_start_ended_that_wrote_no_end_line(tmp_path, jobs):
    run = jobs[1].long(steps=40).restarted(at=30).write(tmp_path)
    first, second = training(run).starts
    noted = {"kind": "restart", "at": second.began_at - 1, "failure": {"class": "OutOfMemory", "reason": "HostMemory"}}
    (run / "train" / "ledger.jsonl").write_text('{"kind": "attempt"}\n' + json.dumps(noted) + "\n{torn")
    ended, complete = training(run).starts
    assert (first.outcome, ended.outcome, complete.outcome) == ("interrupted", "failed", "complete")
    assert ended.failure == {"class": "OutOfMemory", "reason": "HostMemory"}


def test_an_attempt_that_failed_before_its_run_line_is_a_start_of_its_own(run):
    with data_of(run).open("a") as file:
        file.write('{"at": 1795900000, "kind": "end", "record": {"outcome": "failed", "stage": "train"}}\n')
    starts = training(run).starts
    assert [start.outcome for start in starts] == ["complete", "failed"]
    assert starts[1].seconds == 0
