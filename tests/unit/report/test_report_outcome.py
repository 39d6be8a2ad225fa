"""Prediction and outcome side by side, and where the time went."""

import pytest

from trivium_trainer.progress import SecondsKind
from trivium_trainer.report import load_run, render_report
from trivium_trainer.report.outcome import compare_with_plan
from trivium_trainer.report.time_spent import KINDS, describe_time
from trivium_trainer.report.wording import NONE, THIN
from trivium_trainer.report_data import MemoryLine, TimeLine


def spent(attempt, first_step=None, **seconds):
    return TimeLine(at=1_795_000_900, attempt=attempt, seconds=seconds, first_step_seconds=first_step)


@pytest.fixture
def run_with(tmp_path, jobs):
    """A complete run of 40 steps, with more lines in its training data, before the end."""

    def write(*lines):
        run = jobs[1].long(steps=40).write(tmp_path)
        data = run / "train" / "report" / "data.jsonl"
        *body, end = data.read_text().splitlines(keepends=True)
        data.write_text("".join([*body, *(line.model_dump_json(by_alias=True) + "\n" for line in lines), end]))
        return run

    return write


def training(run):
    return load_run(run).training


def plain(text):
    return text.replace(THIN, " ")


def test_time_is_told_by_kind_over_all_attempts_each_counted_once(run_with):
    run = run_with(spent("one", step=10, save=5), spent("one", step=30, save=10), spent("two", start=40, step=20))
    told = describe_time(training(run))
    assert plain(told.summary).startswith("50 % of 1 min 40 s in attempts went to training steps")
    assert [tuple(map(plain, row)) for row in told.rows] == [
        ("training steps", "50 s", "50 %"),
        ("starting and restarting", "40 s", "40 %"),
        ("saving checkpoints", "10 s", "10 %"),
    ]
    assert "steps that counted (goodput)" in render_report([run])


def test_a_run_of_an_older_trainer_tells_no_time(run_with):
    assert describe_time(training(run_with())) is None


def test_every_kind_of_time_has_words():
    assert set(KINDS) == set(SecondsKind.__args__)


def test_the_plan_stands_beside_what_was_measured_with_the_error(run_with):
    # The plan of the fixture: 610 MiB, 140 s. Peak of the fixture's rank 1: 579 MiB, its last line: 700 - 90 = 610.
    peak = MemoryLine(at=0, rank=1, peak_bytes=700 * 2**20, baseline_bytes=90 * 2**20, source="rss")
    run = run_with(peak, spent("one", first_step=12.0, start=12, step=80, wasted=20, save=61))
    rows = {
        row.name: tuple(map(plain, (row.planned, row.measured, row.error))) for row in compare_with_plan(training(run))
    }
    assert rows["memory of a rank"] == ("610 MiB", "610 MiB", "as planned")
    # 80 + 20 + 61 s: everything after the start.
    assert rows["training"] == ("2 min 20 s", "2 min 41 s", "15 % more")
    assert rows["one step"] == (NONE, "2 s", "")
    assert rows["start to first step"] == (NONE, "12 s", "")
    assert f"15{THIN}% more" in render_report([run])


def test_an_unfinished_training_is_not_compared_with_the_whole_plan(tmp_path, jobs):
    rows = compare_with_plan(training(jobs[1].long(steps=40).running(at=20).write(tmp_path)))
    assert [(row.name, row.measured) for row in rows if row.name == "training"] == [("training", NONE)]
