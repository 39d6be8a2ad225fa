"""From stage to stage: what a completed, a suspended and a failed job gets, and what the next attempt is made of."""

from datetime import timedelta

import pytest

from trivium.api.conditions import ConditionType
from trivium.api.inspection import Inspection
from trivium.api.status import ExcludedNode, Failure, LineageEntry, Phase, Skip, StageStatus, UpstreamStatus
from trivium.domain.progress_facts import read_progress
from trivium.domain.progression import judge_begin, progress_at
from trivium.domain.verdict import Begin, Finish, Hold, Keep

INSPECTION = Inspection(
    parameters=1,
    vocabulary=1,
    packing=False,
    max_length=1,
    train_sequences=1,
    train_examples=1,
    train_tokens=1,
    prepared_key="k",
    tokenizer_digest="t",
)


def begin(case):
    verdict = case.decide().verdict
    assert isinstance(verdict, Begin), verdict
    return verdict


def test_no_attempt_begins_after_the_deadline(case):
    case.with_spec(runPolicy={"activeDeadlineSeconds": 60}).planned().record(active_seconds=60)
    assert case.decide().verdict == Finish(
        failure=Failure(
            failure_class="Deadline",
            reason="ActiveDeadlineExceeded",
            message="runPolicy.activeDeadlineSeconds: 60 seconds of attempts are over.",
            remedy="Raise runPolicy.activeDeadlineSeconds and create the job again with storage.continueFrom.",
        )
    )


def test_a_suspended_job_says_how_it_goes_on(case):
    case.with_spec(runPolicy={"suspend": True}).planned()
    assert case.decide().verdict == Hold(
        phase=Phase.SUSPENDED,
        condition=ConditionType.SUSPENDED,
        status="True",
        reason="CapacityFreed",
        message="Suspended. Set runPolicy.suspend to false, and it goes on from its newest checkpoint.",
    )


@pytest.mark.parametrize(
    ("last", "want"),
    [
        (None, False),
        ({"outcome": "Stopped"}, False),
        ({"outcome": "Failed", "failure": Failure(failure_class="Preempted", reason="R", message="")}, True),
        ({"stage": "prepare", "outcome": "Complete"}, False),
    ],
)
def test_only_an_attempt_after_a_failure_of_its_stage_is_a_restart(case, t0, last, want):
    case.planned()
    if last is not None:
        case.attempt(running_at=t0, ended_at=t0, **last)
    assert begin(case.at(3600)).is_restart is want


@pytest.mark.parametrize("written", [None, 0, 5, 20])
def test_progress_is_looked_at_again_when_it_is_due_and_at_the_latest_after_an_interval(case, t0, written):
    want = {None: None, 0: 10, 5: 15, 20: 19}[written]
    case.planned().attempt(running_at=t0).reported(received=5, step=2).at(9)
    if written is not None:
        case.record(progress={"step": 1, "updated_at": t0 + timedelta(seconds=written)})
    assert progress_at(case.situation) == (None if want is None else t0 + timedelta(seconds=want))


def test_progress_that_is_written_is_not_looked_at_again(case, t0):
    case.planned().attempt(running_at=t0).reported(received=5, step=2)
    situation = case.situation
    shown = read_progress(case.observation.report, status=case.status, profiles=situation.observation.profiles)
    assert progress_at(case.record(progress=shown).situation) is None


@pytest.mark.parametrize("stages", [(), (StageStatus(name="train"),)])
def test_nothing_begins_without_a_plan(case, stages):
    assert judge_begin(case.record(stages=stages).situation) is None


def test_what_is_decided_is_decided_at_a_whole_second(case, t0):
    assert case.planned().at(7.9).decide().status.attempts[-1].started_at == t0 + timedelta(seconds=7)


def test_the_children_of_an_attempt_are_made_of_the_whole_status(case, t0):
    upstream = UpstreamStatus(kind="SFTJob", name="up", uid="u", claim_name="runs", output_path="o", run_path="r")
    entry = LineageEntry(kind="SFTJob", name="up", uid="u")
    skip = Skip(data_step=3, steps=1, rollback_to=0, at=t0)
    case.planned(gpus_per_worker=4, workers=4, gpus=16).attempt(
        number=3, run=2, workers=2, gpus=8, queue="q", priority="high", ray_job="a-train-2"
    )
    case.record(
        inspection=INSPECTION,
        upstream=upstream,
        lineage=(entry,),
        skips=(skip,),
        excluded_nodes=(ExcludedNode(node="n1", reason="R", since=t0),),
    )
    decision = case.decide()
    run, plan = decision.run, case.status.stages[1].plan
    assert (run.job.metadata.name, run.stage, run.number) == ("a", "train", 2)
    assert run.plan == plan.model_copy(update={"workers": 2, "gpus": 8})
    assert run.profile == case.observation.profiles["cpu"]
    assert (run.inspection, run.upstream, run.lineage, run.skips) == (INSPECTION, upstream, (entry,), (skip,))
    assert (run.queue, run.priority, run.excluded_nodes) == ("q", "high", ("n1",))
    assert decision.prune is True


def test_prepare_leaves_no_batches_out(case, t0):
    case.planned(stage="prepare").attempt(stage="prepare").record(
        skips=(Skip(data_step=3, steps=1, rollback_to=0, at=t0),)
    )
    run = case.decide().run
    assert (run.stage, run.skips, run.number) == ("prepare", (), 1)


def test_nodes_are_only_excluded_by_wish(case, t0):
    case.with_spec(recovery={"excludeFailedNodes": False}).planned().attempt()
    case.record(excluded_nodes=(ExcludedNode(node="n1", reason="R", since=t0),))
    assert case.decide().run.excluded_nodes == ()


def test_a_profile_that_went_stops_no_attempt_whose_ray_job_is_there(case):
    decision = case.planned().attempt().ray_job().observed(profiles=()).decide()
    assert isinstance(decision.verdict, Keep)
    assert decision.run is None


def test_children_of_another_life_are_not_pruned_while_the_job_goes(case):
    decision = case.planned().with_metadata(deletionTimestamp="2026-01-01T00:00:00Z", finalizers=["f"]).decide()
    assert decision.prune is False


def test_a_job_that_is_being_deleted_is_not_looked_at_again(case):
    case.with_spec(runPolicy={"activeDeadlineSeconds": 60}).planned().attempt().ray_job()
    assert case.decide().next_look is not None
    case.with_metadata(deletionTimestamp="2026-01-01T00:00:00Z", finalizers=["f"])
    assert case.decide().next_look is None


def test_the_children_are_made_with_the_profile_of_their_plan(case):
    (default,) = case.raw["profiles"]
    other = {**default, "metadata": {"name": "other"}, "spec": {**default["spec"], "default": False}}
    case.observed(profiles=(default, other))
    case.planned(profile="other").attempt()
    assert case.decide().run.profile.metadata.name == "other"


def test_a_stage_that_is_not_in_the_status_makes_no_children(case):
    assert case.attempt().ray_job().decide().run is None
