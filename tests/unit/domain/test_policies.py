"""Each policy's table: in which situation it says what. Whole lives are in tests/simulation."""

from datetime import timedelta

import pytest

from trivium.api.status import CheckpointStatus
from trivium.domain.decide import CHAIN
from trivium.domain.verdict import (
    Adopt,
    Begin,
    End,
    Finish,
    Hold,
    Keep,
    Leave,
    RequestStop,
    Rest,
    Sweep,
)

DONE = {"conditions": ({"type": "Succeeded", "status": "True", "reason": "Complete", "lastTransitionTime": "2026-01-01T00:00:00Z"},)}  # fmt: skip


def finished(case):
    job = case.planned().job
    status = job.status.model_validate(
        {**job.status.model_dump(mode="json", by_alias=True), **DONE, "endedAt": "2026-01-01T00:00:00Z"}
    )
    case.status = status
    return case


@pytest.mark.parametrize(
    ("build", "want"),
    [
        (lambda c: c.with_metadata(deletionTimestamp="2026-01-01T00:00:00Z").planned().attempt().ray_job(), Leave),
        (finished, Rest),
        (lambda c: finished(c).ray_job("Complete", "SUCCEEDED", name="other"), Rest),
        (lambda c: c, Adopt),
        (lambda c: c.planned(), Begin),
        (lambda c: c.planned().attempt(), Keep),
        (lambda c: c.planned().attempt().ray_job("Initializing", ""), Keep),
        (lambda c: c.planned().attempt().ray_job(), Keep),
        (lambda c: c.planned().attempt().ray_job("Hibernating", "DREAMING"), Keep),
        (lambda c: c.planned().attempt().ray_job(deleting=True), Keep),
        (lambda c: c.planned().attempt().ray_job("Complete", "SUCCEEDED"), End),
        (lambda c: c.planned().attempt().ray_job("Complete", "STOPPED"), End),
        (lambda c: c.planned().attempt().ray_job("Failed", "FAILED"), End),
        (lambda c: c.planned().attempt().ray_job("ValidationFailed", ""), End),
        (lambda c: c.planned().attempt(ray_job_uid="u"), End),
        (lambda c: c.planned().attempt().observed(refusal="no quota"), End),
        (lambda c: c.planned().attempt().observed(name_taken_by="another"), Hold),
        (lambda c: c.planned().attempt().observed(profiles=()), Hold),
        (lambda c: c.planned().attempt().ray_job().observed(profiles=()), Keep),
        (lambda c: c.planned().attempt().ray_job(name="stray"), Sweep),
        (lambda c: c.planned().failed().ray_job(), Sweep),
        (lambda c: c.planned().failed().ray_job(deleting=True), Sweep),
        (lambda c: c.planned().failed().at(1), Hold),
        (lambda c: c.planned().failed().at(11), Begin),
        (lambda c: c.planned().failed("UserError").at(11), Finish),
        (lambda c: c.with_spec(runPolicy={"suspend": True}), Hold),
        (lambda c: c.with_spec(runPolicy={"suspend": True}).planned().attempt().ray_job(), RequestStop),
        (lambda c: c.with_spec(runPolicy={"suspend": True}).planned().attempt().ray_job("Initializing", ""), End),
        (lambda c: c.with_spec(data={"train": [{"from": {"hub": {"repo": "d"}}}], "maxLength": 666}), Hold),
        (lambda c: c.observed(profiles=()), Hold),
    ],
)
def test_the_first_policy_that_applies_decides(case, build, want):
    assert isinstance(build(case).decide().verdict, want)


def test_the_chain_has_a_verdict_for_a_job_of_which_nothing_is_known(case):
    assert any(judge(case.situation) is not None for judge in CHAIN)


@pytest.mark.parametrize(
    ("build", "names"),
    [
        (lambda c: c.planned().attempt().ray_job(), []),
        (lambda c: c.planned().attempt().ray_job().ray_job(name="stray"), ["stray"]),
        (lambda c: c.planned().failed().ray_job(), ["a-train-1"]),
        (lambda c: c.planned().failed().ray_job(deleting=True), []),
        (lambda c: finished(c).ray_job("Complete", "SUCCEEDED", name="old"), ["old"]),
    ],
)
def test_only_ray_jobs_without_a_living_attempt_are_deleted(case, build, names):
    assert [one.name for one in build(case).decide().ray_jobs_to_delete] == names


def test_children_are_made_for_a_living_attempt_only(new_case):
    assert new_case().planned().attempt().decide().run.number == 1
    assert new_case().planned().decide().run is None
    assert new_case().planned().failed().at(1).decide().run is None
    assert new_case().planned().attempt().observed(name_taken_by="another").decide().run is None


@pytest.mark.parametrize(
    ("pods", "record", "want"),
    [
        ((), None, ("Infrastructure", "AppFailed")),
        ((), "DataError", ("DataError", "Said")),
        ((), "NewClass", ("Internal", "Said")),
        (("PreemptionByScheduler",), None, ("Preempted", "PreemptionByScheduler")),
        (("PreemptionByScheduler",), "Infrastructure", ("Preempted", "PreemptionByScheduler")),
        (("TerminationByKubelet",), "Internal", ("Preempted", "TerminationByKubelet")),
        (("DeletionByTaintManager",), "Internal", ("Infrastructure", "DeletionByTaintManager")),
        (("PreemptionByScheduler",), "DataError", ("DataError", "Said")),
        (("oom",), "Infrastructure", ("OutOfMemory", "OOMKilled")),
        (("oom", "PreemptionByScheduler"), None, ("Preempted", "PreemptionByScheduler")),
        (("oom",), "UserError", ("UserError", "Said")),
    ],
)
def test_the_class_comes_from_who_knows_best(case, pods, record, want):
    from trivium.domain.pod_evidence import PodEvidence

    evidence = tuple(
        PodEvidence(pod=p, out_of_memory=True, exit_code=137) if p == "oom" else PodEvidence(pod=p, disruption=p)
        for p in pods
    )
    line = f'TRIVIUM-RECORD {{"outcome":"failed","stage":"train","failure":{{"class":"{record}","reason":"Said"}}}}'
    case.planned().attempt().ray_job("Failed", "FAILED", reason="AppFailed", message=line if record else "")
    failure = case.observed(evidence=evidence).decide().verdict.failure
    assert (failure.failure_class, failure.reason) == want
    assert failure.remedy


def test_a_record_of_another_stage_says_nothing_about_this_one(case):
    line = 'TRIVIUM-RECORD {"outcome":"complete","stage":"prepare"}'
    case.planned().attempt().ray_job("Failed", "FAILED", message=line)
    assert case.decide().verdict.outcome == "Failed"


def test_a_trainer_that_cannot_read_its_config_is_believed_though_it_knows_no_stage(case):
    line = 'TRIVIUM-RECORD {"outcome":"failed","stage":"unknown","failure":{"class":"UserError","reason":"InvalidRunConfig"}}'
    case.planned().attempt().ray_job("Failed", "FAILED", reason="AppFailed", message=line)
    assert case.decide().verdict.failure.failure_class == "UserError"


def test_failure_messages_hold_the_last_line_of_the_log_and_no_control_characters(case):
    case.planned().attempt().ray_job(
        "Failed", "FAILED", reason="AppFailed", message="a\nb\n\x1b[31mSegmentation fault\n"
    )
    message = case.decide().verdict.failure.message
    assert "Segmentation fault" in message
    assert "\x1b" not in message


@pytest.mark.parametrize(
    ("spent", "failure_class", "initial", "maximum", "want"),
    [
        (1, "Infrastructure", 10, 600, 10),
        (2, "Infrastructure", 10, 600, 20),
        (4, "Infrastructure", 10, 600, 80),
        (5, "Infrastructure", 100, 600, 600),
        (3, "Preempted", 10, 600, 0),
        (2, "Infrastructure", 0, 0, 0),
    ],
)
def test_the_pause_doubles_with_the_budget_spent_and_is_shortened_by_a_fifth_at_most(
    case, t0, spent, failure_class, initial, maximum, want
):
    from trivium.domain.restart import backoff_due_at

    case.with_spec(recovery={"backoff": {"initialSeconds": initial, "maxSeconds": maximum}, "maxRestarts": 9})
    case.planned().failed(failure_class).record(restart_budget={"spent": spent})
    due = backoff_due_at(case.situation)
    assert timedelta(seconds=0.8 * want) <= due - t0 <= timedelta(seconds=want + 1)


def test_a_second_preemption_in_a_row_waits_for_the_initial_pause(case, t0):
    from trivium.domain.restart import backoff_due_at

    case.planned().failed("Preempted").failed("Preempted", number=2)
    assert timedelta(seconds=8) <= backoff_due_at(case.situation) - t0 <= timedelta(seconds=10)


def test_a_ray_job_that_does_not_go_is_named_after_a_while(case, t0):
    case.planned().failed().ray_job(deleting=True)
    assert case.at(60).decide().next_look == t0 + timedelta(seconds=120)
    assert case.decide().status.message == case.status.message
    decision = case.at(120).decide()
    assert "KubeRay to remove RayJob a-train-1" in decision.status.message
    case.status = decision.status
    assert case.at(500).decide().status == decision.status


@pytest.mark.parametrize(
    ("failure_class", "recovery", "spent", "want"),
    [
        ("UserError", {}, 0, "Running"),
        ("Diverged", {"onDivergence": {"action": "fail"}}, 0, "Running"),
        ("OutOfMemory", {"onOutOfMemory": "fail"}, 0, "Running"),
        ("Infrastructure", {"maxRestarts": 2}, 2, "Running"),
        ("Infrastructure", {"maxRestarts": 2}, 1, "Restarting"),
        ("Diverged", {}, 0, "Restarting"),
    ],
)
def test_a_failure_that_ends_the_job_never_shows_as_restarting(case, failure_class, recovery, spent, want):
    line = f'TRIVIUM-RECORD {{"outcome":"failed","stage":"train","failure":{{"class":"{failure_class}","reason":"R"}}}}'
    case.with_spec(recovery=recovery).planned().attempt().record(phase="Running", restart_budget={"spent": spent})
    assert case.ray_job("Failed", "FAILED", message=line).decide().status.phase == want


def test_jobs_that_fail_together_do_not_come_back_together(new_case):
    from trivium.domain.restart import backoff_due_at

    backoff = {"backoff": {"initialSeconds": 600, "maxSeconds": 600}}
    times = {
        backoff_due_at(new_case().with_spec(recovery=backoff).with_metadata(uid=f"u{n}").planned().failed().situation)
        for n in range(20)
    }
    assert len(times) > 15


@pytest.mark.parametrize(
    ("steps", "checkpoint", "want"),
    [
        ([0, 0, 0], 0, Begin),
        ([0, 0, 0, 0], 0, Finish),
        ([0, 0, 0, 10], 10, Begin),
        ([0, 10, 10, 10], 10, Begin),
        ([0, 10, 10, 10, 10], 10, Finish),
        ([0, 10, 10, 10, 10], 20, Begin),
    ],
)
def test_three_restarts_from_the_same_checkpoint_are_enough(case, steps, checkpoint, want):
    case.with_spec(recovery={"maxRestarts": 100}).planned()
    for number, step in enumerate(steps, start=1):
        case.failed(number=number, first_step=step, last_step=step)
    at = CheckpointStatus(step=checkpoint, uri="u", at="2026-01-01T00:00:00Z")
    prepare, train = case.status.stages
    case.record(stages=(prepare, train.model_copy(update={"checkpoint": at if checkpoint else None})))
    assert isinstance(case.at(10_000).decide().verdict, want)


def test_preemptions_between_them_do_not_hide_a_standstill(case):
    case.with_spec(recovery={"maxRestarts": 100}).planned()
    for number, failure_class in enumerate(["Hang", "Preempted", "Hang", "Preempted", "Hang", "Hang"], start=1):
        case.failed(failure_class, number=number)
    assert isinstance(case.at(10_000).decide().verdict, Finish)


def test_the_smaller_micro_batch_is_recorded_with_the_attempt_that_uses_it(case):
    decision = case.planned().failed("OutOfMemory").at(20).decide()
    (size,) = decision.status.plan.sizes
    assert (size.micro_batch_size, decision.status.attempts[-1].micro_batch_size) == (2, 2)
    assert decision.status.stages[-1].plan == decision.status.plan


def test_workers_that_checkpoints_forbid_are_not_followed_and_it_is_said(case):
    case.planned(zero_stage=2, workers=1).failed("Infrastructure").with_spec(compute={"workers": 4})
    decision = case.at(20).decide()
    assert decision.status.plan.workers == 1
    assert any("compute.workers: 4 is not followed" in note for note in decision.status.stages[-1].plan.notes)
    case.status = decision.status
    assert isinstance(case.decide().verdict, Begin)


@pytest.mark.parametrize("seconds", [0, 5, 59.5])
def test_a_recorded_decision_decides_the_same_again(case, seconds):
    case.planned().attempt(running_at=None).ray_job().reported(activity="step", step=3, tokens=30, loss=1.23456)
    first = case.at(seconds).decide()
    case.status = first.status
    assert case.decide().status == first.status


def test_progress_alone_is_written_once_in_an_interval(case):
    case.planned().attempt().ray_job().reported(step=1)
    case.status = case.at(0).decide().status
    case.reported(step=2, received=4)
    held = case.at(4).decide()
    assert held.status.progress.step == 1
    assert (held.next_look - case.time).total_seconds() == 6
    assert case.at(10).decide().status.progress.step == 2


def test_a_restart_inside_an_attempt_is_written_at_once_and_its_last_failure_is_not_counted_twice(case):
    case.planned().attempt().ray_job().reported(step=1)
    case.status = case.at(0).decide().status
    case.reported(step=2, received=4, restarts=1)
    case.status = case.at(4).decide().status
    assert (case.status.restarts, case.status.restart_budget.spent) == (1, 1)
    end = {"outcome": "failed", "stage": "train", "failure": {"class": "Hang", "reason": "Stuck"}}
    case.reported(step=2, received=5, restarts=2, end=end)
    case.raw["ray_jobs"] = ()
    case.ray_job("Failed", "FAILED")
    case.status = case.at(5).decide().status
    assert (case.status.restarts, case.status.restart_budget.spent) == (1, 2)


def test_the_next_look_is_the_earliest_moment_at_which_something_else_would_be_said(new_case, t0):
    starting = new_case().planned().attempt().ray_job("Initializing", "").at(10).decide()
    assert starting.next_look == t0 + timedelta(seconds=120)
    held = new_case().planned().failed().record(restart_budget={"spent": 1}).at(1).decide()
    assert t0 + timedelta(seconds=8) <= held.next_look <= t0 + timedelta(seconds=10)
    resting = finished(new_case().with_spec(runPolicy={"ttlSecondsAfterFinished": 100})).decide()
    assert resting.next_look == t0 + timedelta(seconds=100)


def test_transition_times_move_only_with_the_status(case):
    case.planned().attempt().ray_job("Initializing", "")
    case.status = case.at(10).decide().status
    before = {c.type: c.last_transition_time for c in case.status.conditions}
    case.raw["ray_jobs"] = ()
    case.status = case.ray_job().at(50).decide().status
    after = {c.type: c.last_transition_time for c in case.status.conditions}
    assert {kind for kind in before if before[kind] != after[kind]} == {"Running"}


def test_the_last_ten_attempts_are_kept_and_numbers_go_on(case):
    case.planned()
    for number in range(1, 11):
        case.failed("Preempted", number=number)
    attempts = case.at(100).decide().status.attempts
    assert (len(attempts), attempts[0].number, attempts[-1].number) == (10, 2, 11)


def test_gpu_seconds_and_active_seconds_add_up_when_an_attempt_ends(case):
    case.planned().attempt(gpus=4).ray_job("Failed", "FAILED").record(active_seconds=10, gpu_seconds=5)
    status = case.at(50).decide().status
    assert (status.active_seconds, status.gpu_seconds) == (60, 205)
