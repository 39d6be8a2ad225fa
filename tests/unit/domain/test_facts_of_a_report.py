"""What one report leaves in the status: the attempt's numbers, its last word, the inspection, and goodput."""

from datetime import timedelta

import pytest

from trivium.api.failure_classes import FAILURE_POLICIES, FailureClass
from trivium.api.status import Failure
from trivium.domain.attempt_facts import fold_facts, read_failure
from trivium.domain.end_record import RecordedFailure

INSPECTION = {
    "parameters": 1,
    "vocabulary": 1,
    "packing": False,
    "maxLength": 1,
    "trainSequences": 1,
    "trainExamples": 1,
    "trainTokens": 1,
    "preparedKey": "k",
    "tokenizerDigest": "t",
}
WHY = {"class": "Hang", "reason": "StepTimeout", "message": "No step.", "remedy": "Wait.", "rank": 3, "exitCode": 9}
SAID = Failure(
    failure_class="Hang", reason="StepTimeout", message="No step.", remedy="Wait.", rank=3, exit_code=9, step=7, data_step=8
)  # fmt: skip


def folded(case, *, seconds=100):
    return fold_facts(
        case.status, job=case.job, observation=case.observation, now=case.time, interval=timedelta(seconds=seconds)
    )


def news(case, **fields):
    """The attempt after a report that is folded in any case: nothing was written for progress before."""
    return folded(case.reported(**fields)).attempts[-1]


@pytest.mark.parametrize(
    ("known", "said", "want"),
    [(None, None, None), (5, None, 5), (None, 7, 7), (5, 7, 7), (7, 5, 7)],
)
def test_the_largest_memory_is_kept(case, known, said, want):
    case.planned().attempt(memory_bytes=known)
    assert news(case, memory_bytes=said).memory_bytes == want


@pytest.mark.parametrize(
    ("first", "last", "step", "want"),
    [(0, 0, 5, 5), (10, 10, 0, 10), (10, 20, 15, 20), (10, 20, 30, 30), (10, 0, 5, 10)],
)
def test_the_last_step_never_goes_back(case, first, last, step, want):
    case.planned().attempt(first_step=first, last_step=last)
    assert news(case, step=step).last_step == want


@pytest.mark.parametrize(
    ("known", "checkpoint", "want"),
    [
        (None, None, 4),
        (None, 0, 4),
        (None, 1, 0),
        (10, 9, 4),
        (10, 10, 4),
        (10, 11, 0),
    ],
)
def test_restarts_are_idle_until_there_is_a_checkpoint_that_was_not_known(case, t0, known, checkpoint, want):
    case.planned().attempt(restarts=3, preemptions=1, idle_restarts=2)
    if known is not None:
        case.record(checkpoint={"step": known, "uri": "u", "at": t0})
    said = None if checkpoint is None else {"step": checkpoint, "path": "train/c"}
    attempt = news(case, restarts=6, preemptions=2, checkpoint=said)
    assert (attempt.restarts, attempt.preemptions, attempt.idle_restarts) == (6, 2, want)


@pytest.mark.parametrize(
    ("stage", "end", "want"),
    [
        ("train", None, (None, None)),
        ("train", {"outcome": "complete", "stage": "train"}, ("Complete", None)),
        ("train", {"outcome": "stopped", "stage": "train"}, ("Stopped", None)),
        ("train", {"outcome": "complete", "stage": "train", "failure": WHY}, ("Complete", None)),
        ("train", {"outcome": "failed", "stage": "train", "failure": {**WHY, "step": 7, "dataStep": 8}}, ("Failed", SAID)),
        ("train", {"outcome": "failed", "stage": "unknown", "failure": {**WHY, "step": 7, "dataStep": 8}}, ("Failed", SAID)),
        ("train", {"outcome": "complete", "stage": "unknown"}, (None, None)),
        ("train", {"outcome": "complete", "stage": "prepare"}, (None, None)),
        ("prepare", {"outcome": "complete", "stage": "prepare"}, ("Complete", None)),
    ],
)  # fmt: skip
def test_the_last_word_is_kept_if_it_is_about_the_attempts_stage(case, stage, end, want):
    case.planned(stage=stage).attempt(stage=stage)
    attempt = news(case, stage=stage, end=end)
    assert (attempt.outcome, attempt.failure) == want


def test_the_first_last_word_stays(case):
    case.planned().attempt(outcome="Stopped")
    attempt = news(case, end={"outcome": "failed", "stage": "train", "failure": WHY})
    assert (attempt.outcome, attempt.failure) == ("Stopped", None)


def test_a_failure_without_a_reason_is_unexplained():
    assert read_failure(None, node="n1") == Failure(
        failure_class="Internal",
        reason="Unexplained",
        message="The trainer says that it failed and not why.",
        remedy="Report it with the log's last lines: an error that we did not foresee.",
    )


def test_a_recorded_failure_is_kept_whole_with_its_node():
    recorded = RecordedFailure.model_validate({**WHY, "step": 7, "dataStep": 8})
    assert read_failure(recorded, node="n1") == SAID.model_copy(update={"node": "n1"})


@pytest.mark.parametrize(("said", "known"), [("Hang", "Hang"), ("Dreams", "Internal")])
def test_a_failure_that_says_only_its_class_gets_the_classs_words(said, known):
    want = Failure(failure_class=known, reason=known, message="", remedy=FAILURE_POLICIES[FailureClass(known)].remedy)
    assert read_failure(RecordedFailure.model_validate({"class": said})) == want


@pytest.mark.parametrize(("stage", "kept"), [("prepare", True), ("train", False)])
def test_only_prepare_says_what_the_data_is(case, stage, kept):
    case.planned(stage=stage).attempt(stage=stage)
    status = folded(case.reported(stage=stage, inspection=INSPECTION))
    assert status.inspection == (case.observation.report.report.inspection if kept else None)


def test_a_report_without_an_inspection_leaves_the_known_one(case):
    case.planned(stage="prepare").attempt(stage="prepare").record(inspection=INSPECTION)
    assert folded(case.reported(stage="prepare")).inspection == case.status.inspection is not None


def test_goodput_is_of_the_time_until_the_report(case, t0):
    case.planned().attempt(running_at=t0)
    assert folded(case.reported(received=40, seconds={"step": 30}).at(80)).goodput == 0.75


def test_the_time_of_a_silent_report_is_the_one_said_before(case):
    case.planned().attempt(seconds={"step": 3})
    assert news(case).seconds == {"step": 3}


def test_a_budget_is_charged_at_a_whole_second(case, t0):
    case.planned().attempt()
    budget = folded(case.reported(received=4.7, restarts=2)).restart_budget
    assert (budget.spent, budget.last_failure_at) == (2, t0 + timedelta(seconds=4))


@pytest.mark.parametrize(("known", "want"), [("", "uid-a-train-1"), ("uid-before", "uid-before")])
def test_the_first_uid_of_the_ray_job_stays(case, known, want):
    case.planned().attempt(ray_job_uid=known).ray_job()
    assert folded(case).attempts[-1].ray_job_uid == want


@pytest.mark.parametrize(("since", "want"), [(-1, 60), (0, 0), (30, 30), (60, 60), (61, 60)])
def test_quota_came_when_the_pods_began_if_that_can_be(case, t0, since, want):
    case.planned().attempt(queued=True).at(60)
    case.ray_job("Running", "RUNNING", startTime=(t0 + timedelta(seconds=since)).isoformat())
    assert folded(case).attempts[-1].admitted_at == t0 + timedelta(seconds=want)
