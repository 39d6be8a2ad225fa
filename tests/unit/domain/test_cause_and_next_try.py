"""What follows a failure: pauses, budgets, queues and changes, in their words."""

from datetime import timedelta

import pytest

from trivium.api import parse_profile
from trivium.api.failure_classes import FAILURE_POLICIES, FailureClass
from trivium.api.plan_status import SizePlan
from trivium.api.status import Failure
from trivium.domain.next_attempt import NextAttempt, next_attempt
from trivium.domain.queueing import judge_moved, judge_requeued, resolve_place
from trivium.domain.restart import backoff_due_at, judge_backoff, judge_final_failure
from trivium.domain.verdict import Rerun

PAUSES = {"backoff": {"initialSeconds": 1000, "maxSeconds": 3600}}
SMALLEST = (SizePlan(world_size=1, micro_batch_size=1, gradient_accumulation=32),)


def profile(**spec):
    spec = {"image": "i", "rayVersion": "2.60.0", "worker": {"cpu": 4, "memory": "8Gi"}, "default": True} | spec
    metadata = {"name": "cpu", "generation": 1}
    return {"apiVersion": "trivium.dev/v1alpha1", "kind": "ComputeProfile", "metadata": metadata, "spec": spec}


def again(case):
    situation = case.situation
    return next_attempt(situation, situation.stage.plan)


# Pauses and budgets


def test_a_pause_is_over_at_its_very_end(case):
    case.with_spec(recovery=PAUSES).planned().failed()
    due = backoff_due_at(case.situation)
    assert judge_backoff(case.at((due - case.time).total_seconds() - 1).situation).until == due
    case.time = due
    assert judge_backoff(case.situation) is None


def test_pauses_are_shortened_by_up_to_a_fifth_differently_for_each_attempt(new_case, t0):
    cases = [new_case().with_spec(recovery=PAUSES).planned().failed(number=number) for number in range(1, 31)]
    pauses = [(backoff_due_at(case.situation) - t0).total_seconds() for case in cases]
    assert 800 <= min(pauses) < 850
    assert 950 < max(pauses) <= 1000
    assert len(set(pauses)) > 20


@pytest.mark.parametrize(("before", "waits"), [(None, False), ("Infrastructure", False), ("Preempted", True)])
def test_only_a_second_free_failure_in_a_row_has_a_pause(case, t0, before, waits):
    case.with_spec(recovery=PAUSES).planned()
    if before:
        case.failed(before)
    due = backoff_due_at(case.failed("Preempted", number=2).situation)
    assert (due > t0) is waits
    assert waits or due == t0


def test_a_failed_attempt_without_a_failure_has_no_pause_and_is_not_final(case, t0):
    case.planned().attempt(ended_at=t0, outcome="Failed")
    assert (backoff_due_at(case.situation), judge_final_failure(case.situation)) == (None, None)


def test_where_every_stage_is_over_no_failure_is_final(case):
    case.planned().failed("UserError")
    stages = tuple(stage.model_copy(update={"state": "Succeeded"}) for stage in case.status.stages)
    assert judge_final_failure(case.record(stages=stages).situation) is None


@pytest.mark.parametrize(("failure_class", "final"), [("Preempted", False), ("Infrastructure", True)])
def test_only_a_counted_failure_ends_a_job_whose_budget_is_spent(case, failure_class, final):
    case.with_spec(recovery={"maxRestarts": 1}).planned().failed(failure_class).record(restart_budget={"spent": 2})
    assert (judge_final_failure(case.situation) is not None) is final


def test_why_it_is_final_comes_first_and_the_message_stays_within_its_bounds(case, t0):
    failure = Failure(failure_class="Infrastructure", reason="Broken", message="x" * 1024)
    case.with_spec(recovery={"maxRestarts": 1}).planned().record(restart_budget={"spent": 2})
    case.attempt(ended_at=t0, outcome="Failed", failure=failure)
    message = judge_final_failure(case.situation).failure.message
    assert message.startswith("recovery.maxRestarts: all 1 restarts are spent. xxx")
    assert len(message) == 1024


# Changes


@pytest.mark.parametrize(
    ("failure_class", "stage", "spec", "plan", "want"),
    [
        ("OutOfMemory", "train", {"recovery": {"onOutOfMemory": "fail"}}, {}, "recovery.onOutOfMemory: fail."),
        ("OutOfMemory", "train", {}, {"sizes": SMALLEST}, "The micro-batch is already as small as it can be."),
        ("Diverged", "prepare", {}, {}, "Only training can go back to an earlier checkpoint."),
        (
            "Unschedulable",
            "train",
            {},
            {},
            "compute.minWorkers is not set, so it cannot go on with fewer workers.",
        ),
        (
            "Unschedulable",
            "train",
            {"compute": {"workers": 1, "minWorkers": 1}},
            {},
            "There is no room for compute.minWorkers: 1 either.",
        ),
    ],
)
def test_what_cannot_be_changed_is_said(case, failure_class, stage, spec, plan, want):
    case.with_spec(**spec).planned(stage=stage, **plan)
    micro = plan["sizes"][0].micro_batch_size if plan else 4
    assert again(case.failed(failure_class, stage=stage, micro_batch_size=micro)) == want


def test_prepare_that_needed_too_much_memory_is_tried_the_same_again(case):
    case.planned(stage="prepare").failed("OutOfMemory", stage="prepare")
    plan = case.situation.stage.plan
    assert again(case) == NextAttempt(plan=plan, workers=plan.workers)


def test_a_plan_that_was_made_anew_since_deserves_its_own_try(case):
    case.planned().failed("OutOfMemory", micro_batch_size=8)
    plan = case.situation.stage.plan
    assert again(case) == NextAttempt(plan=plan, workers=plan.workers)


def test_prepare_never_has_fewer_workers(case):
    sizes = tuple(SizePlan(world_size=n, micro_batch_size=4, gradient_accumulation=8 // n) for n in (1, 2))
    case.with_spec(compute={"workers": 2, "minWorkers": 1}).planned(stage="prepare", workers=2, sizes=sizes)
    prepare, train = case.status.stages
    case.record(stages=(prepare.model_copy(update={"plan": train.plan}), train))
    case.failed("Unschedulable", stage="prepare", workers=2)
    assert again(case) == "There is no room for compute.minWorkers: 1 either."


# Queues

QUEUES = {"allowed": ["a", "b"], "default": "b"}
TAKEN = " took the quota back for other work; the same RayJob runs again when there is room."


@pytest.mark.parametrize(("queue", "who"), [("b", "Queue b"), ("", "The queue")])
def test_who_took_the_quota_back_is_named(case, queue, who):
    case.planned().attempt(queue=queue, queued=True, ray_cluster="c1").ray_job("Suspended", "")
    remedy = FAILURE_POLICIES[FailureClass.PREEMPTED].remedy
    failure = Failure(failure_class=FailureClass.PREEMPTED, reason="QuotaTaken", message=f"{who}{TAKEN}", remedy=remedy)
    assert judge_requeued(case.situation) == Rerun(failure=failure)


MANY = [f"q{number:02}" for number in range(21)]


@pytest.mark.parametrize(
    ("compute", "spec", "want"),
    [
        (
            {"queue": "c"},
            {"queue": QUEUES},
            "spec.compute.queue: c is not allowed by ComputeProfile cpu. Set it to one of a, b, or remove it.",
        ),
        ({"queue": "c"}, {}, "spec.compute.queue: c is not allowed by ComputeProfile cpu. Remove it."),
        (
            {"queue": "c"},
            {"queue": {"allowed": MANY, "default": "q00"}},
            (
                "spec.compute.queue: c is not allowed by ComputeProfile cpu. "
                f"Set it to one of {', '.join(MANY[:20])}, or remove it."
            ),
        ),
        (
            {"priority": "high"},
            {"queue": QUEUES, "priority": {"allowed": ["low", "mid"]}},
            "spec.compute.priority: high is not allowed by ComputeProfile cpu. Set it to one of low, mid, or remove it.",
        ),
        (
            {"priority": "high"},
            {"queue": QUEUES},
            "spec.compute.priority: high is not allowed by ComputeProfile cpu. Remove it.",
        ),
    ],
)
def test_a_wish_that_the_profile_does_not_allow_is_answered_with_what_it_does(case, compute, spec, want):
    assert resolve_place(case.with_spec(compute=compute).job, parse_profile(profile(**spec)), stage="train") == want


@pytest.mark.parametrize(
    ("attempt", "compute"),
    [
        ({"queue": "b", "priority": "low"}, {"priority": "low"}),
        ({"queue": "a"}, {"queue": "c"}),  # refused: it keeps its place
    ],
)
def test_an_attempt_keeps_a_place_that_nobody_moves(case, attempt, compute):
    priority = {"allowed": ["low"]}
    case.with_spec(compute=compute).observed(profiles=(profile(queue=QUEUES, priority=priority),)).planned()
    case.attempt(queued=True, **attempt).ray_job("Suspended", "")
    assert judge_moved(case.situation) is None


def test_a_job_without_attempt_stage_or_plan_is_not_moved(new_case):
    assert judge_moved(new_case().planned().ray_job("Suspended", "").situation) is None
    assert judge_moved(new_case().attempt(queued=True).ray_job("Suspended", "").situation) is None
    case = new_case().planned().attempt(queued=True).ray_job("Suspended", "")
    prepare, train = case.status.stages
    case.record(stages=(prepare, train.model_copy(update={"plan": None})))
    assert judge_moved(case.situation) is None


def test_a_free_failure_is_followed_at_its_end(case, t0):
    case.planned().failed("Preempted", ended_at=t0 + timedelta(seconds=5))
    assert backoff_due_at(case.at(5).situation) == t0 + timedelta(seconds=5)
