"""What status records when an attempt, a stage or a job is over, and of a spec that does not parse."""

from datetime import timedelta

import pytest

from trivium.api.conditions import ConditionType, Reason
from trivium.api.plan_status import PlanOutcome
from trivium.api.status import Failure, Output, Phase
from trivium.domain.conditions import Finding
from trivium.domain.pod_evidence import PodEvidence
from trivium.domain.status import compose_status, refuse_spec
from trivium.domain.verdict import End, Finish, Sweep

ROOT = "team/SFTJob/a/uid-a"
FAILURE = Failure(failure_class="Infrastructure", reason="NodeLost", message="Gone.", node="n1")
SECONDS = {"start": 10.0, "step": 90.0}


def ended(case, outcome="Complete", **fields):
    return compose_status(case.situation, End(outcome=outcome, **fields))


def trained(case, **fields):
    values = {"running_at": case.time + timedelta(seconds=10), "seconds": {"step": 90.0}, "last_step": 90, "gpus": 2}
    return case.planned().attempt(**(values | fields)).at(100)


def test_the_end_of_an_attempt_is_recorded_with_its_time_and_its_price(case, t0):
    trained(case).record(price_per_gpu_hour=1.2345, active_seconds=5, gpu_seconds=7200, suspend_requested_at=t0)
    case.record(seconds={"step": 10.0})
    case.observed(evidence=(PodEvidence(pod="w", role="worker", unschedulable="No."),))
    status = ended(case)
    attempt = status.attempts[-1]
    assert (attempt.ended_at, attempt.outcome, attempt.missing_workers) == (t0 + timedelta(seconds=100), "Complete", 1)
    assert (status.active_seconds, status.gpu_seconds) == (105, 7400)
    assert (status.seconds, status.goodput) == ({"start": 10.0, "step": 100.0}, 0.909)
    assert status.cost == 2.54
    assert status.suspend_requested_at is None


@pytest.mark.parametrize(("price", "gpu_seconds", "cost"), [(None, 7200, None), (1000.0, 36_000 - 200, 10_000.0)])
def test_the_cost_is_gpu_hours_at_the_price(case, price, gpu_seconds, cost):
    trained(case).record(price_per_gpu_hour=price, gpu_seconds=gpu_seconds)
    assert ended(case).cost == cost


@pytest.mark.parametrize(("wanted", "left"), [(True, ["n1"]), (False, [])])
def test_the_node_of_a_failure_is_excluded_where_the_job_wants_it(case, t0, wanted, left):
    trained(case).with_spec(recovery={"excludeFailedNodes": wanted})
    status = ended(case, "Failed", failure=FAILURE)
    assert [one.node for one in status.excluded_nodes] == left
    assert [one.since for one in status.excluded_nodes] == [t0 + timedelta(seconds=100) for _ in left]


@pytest.mark.parametrize(
    ("checkpoint", "wasted"), [({"step": 30, "uri": "u"}, 60.0), (None, 90.0), ({"step": 90, "uri": "u"}, None)]
)
def test_steps_behind_the_checkpoint_are_wasted_when_an_attempt_fails(case, checkpoint, wasted):
    trained(case).record(checkpoint=checkpoint and checkpoint | {"at": case.time})
    assert ended(case, "Failed", failure=FAILURE).seconds.get("wasted") == wasted


def test_steps_behind_a_rollback_are_wasted_when_it_diverges(case):
    checkpoint = {"step": 60, "uri": "u", "at": case.time, "kept": (30, 60)}
    trained(case).record(checkpoint=checkpoint)
    case.status = case.status.model_copy(
        update={
            "stages": (
                case.status.stages[0],
                case.status.stages[1].model_copy(update={"checkpoint": case.status.checkpoint}),
            )
        }
    )
    failure = Failure(failure_class="Diverged", reason="Diverged", message="NaN.")
    assert ended(case, "Failed", failure=failure).seconds["wasted"] == 60.0


def test_time_without_training_is_no_part_of_the_account(case):
    case.planned(stage="prepare").attempt(stage="prepare").at(100).record(seconds={"step": 1.0})
    assert ended(case, "Failed", failure=FAILURE).seconds == {"step": 1.0}


def test_a_complete_training_leaves_its_model_its_evaluation_and_what_it_took(case):
    trained(case, memory_bytes=7).record(progress={"step": 90, "metrics": {"eval_loss": 1.5, "loss": 2.0}})
    status = ended(case, digest="d")
    prepare, train = status.stages
    assert (train.state, prepare.output) == ("Succeeded", None)
    assert train.output == Output(
        uri=f"pvc://runs/{ROOT}/train/output/model",
        path=f"{ROOT}/train/output/model",
        digest="d",
        report_uri=f"pvc://runs/{ROOT}/train/report/report.html",
        evaluation={"eval_loss": 1.5},
    )
    assert train.plan.outcome == PlanOutcome(seconds=sum(status.seconds.values()), memory_bytes=7)
    assert (status.plan, prepare.plan.outcome) == (train.plan, None)


@pytest.mark.parametrize("current", ["prepare", "train"])
def test_the_plan_of_another_stage_is_not_touched(case, current):
    trained(case).record(stage=current)
    status = ended(case)
    assert (status.plan.outcome is None) == (current == "prepare")


def test_a_stage_that_prepares_leaves_data_and_no_outcome(case):
    case.planned(stage="prepare").attempt(stage="prepare").at(100).record(seconds=SECONDS)
    prepare, train = ended(case, digest="d").stages
    path = f"{ROOT}/prepare/output"
    assert (prepare.state, train.state, prepare.plan.outcome) == ("Succeeded", "Pending", None)
    assert prepare.output == Output(uri=f"pvc://runs/{path}", path=path, digest="d")


def test_an_output_that_is_known_stays(case):
    trained(case)
    known = Output(uri="pvc://runs/x", path="x")
    train = case.status.stages[1].model_copy(update={"output": known})
    case.record(stages=(case.status.stages[0], train))
    assert ended(case, digest="d").stages[1].output == known


def test_a_stage_without_a_plan_ends_without_an_output(case):
    case.attempt().record(stages=({"name": "prepare"}, {"name": "train"}))
    prepare, train = ended(case).stages
    assert (prepare.state, train.state, train.output, train.plan) == ("Pending", "Succeeded", None, None)


def test_a_trainer_that_told_no_times_has_no_outcome(case):
    case.planned().attempt()
    assert ended(case).stages[1].plan.outcome is None


@pytest.mark.parametrize(("failure", "output", "state"), [(None, "pvc://train", "Running"), (FAILURE, None, "Failed")])
def test_the_end_of_a_job_has_its_time_and_the_output_of_the_last_stage(case, t0, failure, output, state):
    states = (("prepare", "Succeeded"), ("train", "Running"))
    stages = [{"name": name, "state": was, "output": {"uri": f"pvc://{name}"}} for name, was in states]
    case.record(stages=tuple(stages), suspend_requested_at=t0)
    status = compose_status(case.at(8).situation, Finish(failure=failure))
    assert (status.ended_at, status.suspend_requested_at) == (t0 + timedelta(seconds=8), None)
    assert (status.output.uri if status.output else None) == output
    assert [one.state for one in status.stages] == ["Succeeded", state]


def test_a_job_that_was_never_planned_can_fail_too(case):
    assert compose_status(case.situation, Finish(failure=FAILURE)).phase == Phase.FAILED


def test_an_interlude_changes_nothing_but_the_generation(case):
    case.planned().record(message="Said before.", phase="Restarting")
    status = compose_status(case.situation, Sweep())
    assert status == case.status.model_copy(update={"observed_generation": 2})


@pytest.mark.parametrize(("attempts", "phase"), [(0, Phase.PENDING), (1, Phase.RUNNING)])
def test_a_spec_that_does_not_parse_is_said_and_nothing_else_changes(case, t0, attempts, phase):
    case.planned().record(phase="Running", message="Said before.")
    before = case.attempt().status if attempts else case.status
    message = "spec.model: x" + "y" * 5000
    finding = Finding(type=ConditionType.ACCEPTED, status="False", reason=Reason.INVALID_SPEC, message=message)
    status = refuse_spec(before, finding, generation=3, now=t0)
    (condition,) = status.conditions
    assert (condition.type, condition.status, condition.reason) == ("Accepted", "False", "InvalidSpec")
    assert (condition.observed_generation, condition.last_transition_time) == (3, t0)
    changed = {"phase": phase, "message": message[:4096], "observed_generation": 3, "conditions": (condition,)}
    assert status == before.model_copy(update=changed)
