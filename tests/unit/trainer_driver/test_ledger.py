"""The memory of a stage's starts, over restarts, attempts and torn writes."""

import pytest

from trivium_trainer.driver.ending import with_restarts
from trivium_trainer.driver.ledger import begin_attempt
from trivium_trainer.durable import append_line, create_json, cut_torn_line, read_json, read_lines, write_json
from trivium_trainer.failure import EndRecord, FailureClass, TrainingError
from trivium_trainer.layout import StageDirectory


def failure(failure_class=FailureClass.INFRASTRUCTURE):
    return TrainingError(failure_class, "Reason", "message", remedy="remedy").to_failure(rank=1)


@pytest.fixture
def stage(tmp_path):
    return StageDirectory(tmp_path / "train")


def test_a_start_number_is_never_used_twice(stage):
    seen = []
    for name in ("one", "two"):
        attempt = begin_attempt(stage, name)
        for _ in range(3):
            seen.append(attempt.start_number())
            attempt.append_restart(failure(), now=0.0, ended=False)
    assert len(set(seen)) == 6


def test_a_failure_of_a_killed_attempt_is_not_read_as_the_next_attempts(stage):
    first = begin_attempt(stage, "one")
    first.write_failure(first.start_number(), failure(FailureClass.HANG))
    second = begin_attempt(stage, "two")
    assert second.read_failure(second.start_number()) is None


def test_the_rank_that_names_a_failure_first_is_believed(stage):
    attempt = begin_attempt(stage, "one")
    assert attempt.write_failure(1, failure(FailureClass.HANG))
    assert not attempt.write_failure(1, failure(FailureClass.INTERNAL))
    assert attempt.read_failure(1) == failure(FailureClass.HANG)


def test_the_first_budget_counts_and_restarts_of_this_attempt_alone_use_it_up(stage):
    begin_attempt(stage, "one").append_restart(failure(), now=0.0, ended=False)
    attempt = begin_attempt(stage, "two")
    assert attempt.remaining_budget() == 0  # no answer yet
    attempt.keep_budget(2)
    attempt.keep_budget(9)
    left = [attempt.remaining_budget()]
    for _ in range(3):
        attempt.append_restart(failure(), now=0.0, ended=False)
        left.append(attempt.remaining_budget())
    assert left == [2, 1, 0, 0]


def test_a_reclaimed_node_costs_no_restart_of_the_budget(stage):
    attempt = begin_attempt(stage, "one")
    attempt.keep_budget(1)
    attempt.append_restart(failure(FailureClass.PREEMPTED), now=0.0, ended=False)
    assert (attempt.restarts(), attempt.remaining_budget()) == (1, 1)


def test_a_new_attempt_forgets_the_stop_and_the_end_of_the_one_before(stage):
    first = begin_attempt(stage, "one")
    first.stop.touch()
    write_json(stage.end_record, {"outcome": "stopped"})
    second = begin_attempt(stage, "two")
    assert not second.stop.exists()
    assert not stage.end_record.exists()
    assert second.probe.read_text() == "two"


def test_a_torn_line_is_neither_read_nor_written_to(tmp_path):
    path = tmp_path / "lines.jsonl"
    append_line(path, {"n": 1})
    with path.open("a") as file:
        file.write('{"n":')
    assert read_lines(path) == [{"n": 1}]
    cut_torn_line(path)
    append_line(path, {"n": 2})
    assert read_lines(path) == [{"n": 1}, {"n": 2}]


def test_nothing_is_left_beside_a_file_that_was_written_whole(tmp_path):
    path = tmp_path / "folder" / "value.json"
    assert create_json(path, {"n": 1})
    assert not create_json(path, {"n": 2})
    assert read_json(path) == {"n": 1}
    write_json(path, {"n": 3})
    assert read_json(path) == {"n": 3}
    assert [entry.name for entry in path.parent.iterdir()] == ["value.json"]


def test_what_happened_inside_earlier_attempts_is_known_without_preemptions_and_without_what_ended_them(stage):
    one = begin_attempt(stage, "one")
    for ended in (False, False, True):
        one.append_restart(failure(), now=0.0, ended=ended)
    begin_attempt(stage, "two").append_restart(failure(FailureClass.PREEMPTED), now=0.0, ended=False)
    three = begin_attempt(stage, "three")
    three.append_restart(failure(), now=0.0, ended=False)
    assert (one.earlier_restarts(), three.earlier_restarts()) == (1, 2)


def test_the_last_word_of_an_attempt_carries_what_its_ledger_counts(stage):
    begin_attempt(stage, "one").append_restart(failure(), now=0.0, ended=False)
    two = begin_attempt(stage, "two")
    two.append_restart(failure(), now=0.0, ended=False)
    two.append_restart(failure(FailureClass.PREEMPTED), now=0.0, ended=False)
    record = with_restarts(EndRecord(outcome="failed", stage="train", step=7), two)
    assert (record.restarts, record.preemptions, record.earlier_restarts) == (2, 1, 1)
    assert '"earlierRestarts":1' in record.to_log_line()
