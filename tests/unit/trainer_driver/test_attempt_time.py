"""Where an attempt's time goes: a partition of its age, over restarts, with the steps that were trained again."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivium_trainer.driver.attempt_clock import AttemptClock
from trivium_trainer.driver.ledger import begin_attempt
from trivium_trainer.driver.stopwatch import Stopwatch
from trivium_trainer.layout import StageDirectory
from trivium_trainer.progress import SecondsKind

BEATS = st.lists(
    st.tuples(st.sampled_from(["start", "restore", "step", "save", "evaluate"]), st.integers(0, 60)), max_size=30
)


@given(beats=BEATS, age=st.integers(0, 500), carried=st.integers(0, 400), reached=st.integers(0, 20))
def test_the_kinds_together_are_the_attempts_age(beats, age, carried, reached):
    watch = Stopwatch(now=0, age=age, reached=reached, carried={"step": carried})
    now, step = 0, 0
    for doing, seconds in beats:
        now, step = now + seconds, step + (doing == "step")
        watch.beat(doing, now=now, step=step)
    assert sum(watch.seconds.values()) == max(age, carried) + now
    assert set(watch.seconds) <= set(SecondsKind.__args__)


def test_steps_that_an_earlier_start_had_trained_are_wasted_and_the_first_new_one_is_not():
    watch = Stopwatch(now=100, age=7, reached=6, carried={"start": 2, "step": 3})
    assert watch.seconds == {"start": 4, "step": 3}  # 2 s nobody counted: the restart
    watch.beat("restore", now=101, step=0)
    watch.beat("step", now=103, step=4)
    for step in (5, 6, 7):
        watch.beat("step", now=103 + 10 * (step - 4), step=step)
    watch.beat("save", now=134, step=7)
    assert watch.seconds == {"start": 5, "step": 14, "restore": 2, "wasted": 20}


def test_the_first_step_is_timed_from_the_attempts_begin_and_once():
    watch = Stopwatch(now=0, age=30, reached=0, carried={})
    watch.beat("evaluate", now=5, step=0)
    watch.beat("step", now=9, step=0)
    assert watch.first_step_seconds is None
    watch.beat("step", now=11, step=1)
    watch.beat("step", now=12, step=2)
    assert watch.first_step_seconds == 41


@pytest.fixture
def stage(tmp_path):
    return StageDirectory(tmp_path / "train")


def test_a_start_goes_on_counting_where_the_killed_one_before_it_stopped(stage):
    attempt = begin_attempt(stage, "one")
    killed = AttemptClock(attempt, resumed_from=0)
    killed.beat("step", step=0)
    fields = killed.beat("step", step=3)
    killed.save()
    following = AttemptClock(attempt, resumed_from=2)
    following.beat("step", step=2)
    following.beat("step", step=3)  # trained before the kill
    following.beat("step", step=4)
    line = following.line()
    assert line.attempt == "one"
    assert line.first_step_seconds == fields["first_step_seconds"] is not None
    assert line.seconds["wasted"] > 0
    assert line.seconds["step"] >= fields["seconds"]["step"]


def test_another_attempt_counts_anew_but_knows_how_far_the_run_had_come(stage):
    first = AttemptClock(begin_attempt(stage, "one"), resumed_from=0)
    first.beat("step", step=0)
    first.beat("step", step=8)
    first.save()
    # The second attempt is killed before its first step: it must not forget the eight steps.
    AttemptClock(begin_attempt(stage, "two"), resumed_from=4).save()
    third = AttemptClock(begin_attempt(stage, "three"), resumed_from=4)
    third.beat("step", step=4)
    third.beat("step", step=8)
    third.beat("step", step=9)
    assert set(third.line().seconds) == {"start", "wasted", "step"}


def test_a_damaged_clock_is_started_anew(stage):
    attempt = begin_attempt(stage, "one")
    for content in ("{torn", "[]", json.dumps({"attempt": "one"})):
        stage.clock.write_text(content)
        clock = AttemptClock(attempt, resumed_from=0)
        clock.save()
        assert json.loads(stage.clock.read_text())["reached"] == 0
