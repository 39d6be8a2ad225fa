"""Small parts that status is made of: sizes of a plan, whole seconds, the lineage, conditions, and a stop that is due."""

from dataclasses import replace
from datetime import timedelta

import pytest

from trivium.api import parse_job
from trivium.api.conditions import Condition, ConditionType
from trivium.api.plan_status import Plan, SizePlan
from trivium.api.status import LineageEntry, UpstreamStatus
from trivium.domain.conditions import Finding, merge_findings
from trivium.domain.situation import micro_batch_size
from trivium.domain.stop import judge_stop, stop_due_at
from trivium.domain.upstream import judge_upstream, lineage_through
from trivium.domain.verdict import AdoptUpstream, End, Hold, RequestStop

MODEL = "team/SFTJob/base/u/train/output/model"


@pytest.mark.parametrize(
    ("worlds", "gpus_per_worker", "workers", "want"),
    [
        ({}, 1, 2, 0),
        ({1: 8, 2: 4, 4: 2}, 0, 1, 8),
        ({1: 8, 2: 4, 4: 2}, 1, 2, 4),
        ({1: 8, 2: 4, 4: 2}, 2, 1, 4),
        ({4: 2, 1: 8, 2: 4}, 1, 3, 2),  # never planned: as for all
    ],
)
def test_the_micro_batch_is_the_one_of_so_many_ranks(worlds, gpus_per_worker, workers, want):
    sizes = tuple(SizePlan(world_size=w, micro_batch_size=m, gradient_accumulation=1) for w, m in worlds.items())
    assert micro_batch_size(Plan(sizes=sizes, gpus_per_worker=gpus_per_worker), workers=workers) == want


@pytest.mark.parametrize(("seconds", "want"), [(0, 0), (0.000001, 1), (1.5, 2), (2, 2)])
def test_a_later_time_is_rounded_up_to_whole_seconds(case, t0, seconds, want):
    assert case.situation.after(t0, seconds=seconds) == t0 + timedelta(seconds=want)


def told_to_stop(case, **policy):
    case.planned().attempt(running_at=case.time).ray_job().record(suspend_requested_at=case.time)
    return case.with_spec(runPolicy=policy, recovery={"hangTimeoutSeconds": 600})


@pytest.mark.parametrize(("now", "over"), [(599, False), (600, True), (700, True)])
def test_a_trainer_that_was_told_to_stop_has_the_time_of_a_step(case, t0, now, over):
    situation = told_to_stop(case, suspend=True).at(now).situation
    assert stop_due_at(situation) == t0 + timedelta(seconds=600)
    assert judge_stop(situation) == (End(outcome="Stopped") if over else None)


def test_nobody_has_to_stop_who_was_not_told_or_does_not_live(case, new_case):
    assert stop_due_at(case.planned().attempt().situation) is None
    assert stop_due_at(new_case().planned().failed().record(suspend_requested_at=case.time).situation) is None


@pytest.mark.parametrize("state", ["Initializing", "Running"])
def test_a_passed_deadline_is_the_failure_of_the_attempt(case, state):
    told_to_stop(case, activeDeadlineSeconds=100).at(700)
    if state == "Initializing":
        case.record(attempts=(case.status.attempts[0].model_copy(update={"running_at": None}),))
        case.observed(ray_jobs=()).ray_job(state, "")
    end = judge_stop(case.situation)
    assert (end.outcome, end.failure.reason) == ("Failed", "ActiveDeadlineExceeded")
    assert end.failure.message == "runPolicy.activeDeadlineSeconds: 100 seconds of attempts are over."


def test_a_trainer_is_told_first(case):
    told_to_stop(case, activeDeadlineSeconds=100).record(suspend_requested_at=None).at(100)
    assert judge_stop(case.situation) == RequestStop()


@pytest.mark.parametrize(("spent", "now", "failed"), [(99, 10**6, False), (100, 0, True), (101, 0, True)])
def test_a_job_without_a_living_attempt_is_late_when_its_attempts_have_taken_the_time(case, spent, now, failed):
    case.planned().failed().record(active_seconds=spent).with_spec(runPolicy={"activeDeadlineSeconds": 100})
    verdict = case.at(now).decide().verdict
    assert (getattr(verdict, "failure", None) is not None) == failed


def entry(number, **fields):
    return LineageEntry(kind="SFTJob", name=f"j{number}", uid=f"u{number}", **fields)


def upstream(**fields):
    return UpstreamStatus(
        kind="SFTJob",
        name="last",
        uid="u",
        claim_name="runs",
        output_path=MODEL,
        run_path="team/SFTJob/base/u",
        **fields,
    )


@pytest.mark.parametrize(("digest", "known"), [("d", "d"), ("", None)])
@pytest.mark.parametrize("before", [0, 31, 32])
def test_the_oldest_of_a_long_lineage_give_way(before, digest, known):
    earlier = tuple(entry(number) for number in range(before))
    last = LineageEntry(kind="SFTJob", name="last", uid="u", digest=known)
    assert lineage_through(upstream(digest=digest, lineage=earlier)) == (*earlier[-31:], last)


def seen(plan):
    condition = {"type": "Succeeded", "status": "True", "reason": "R", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    lineage = [{"kind": "SFTJob", "name": "j1", "uid": "u1"}]
    output = {"uri": "pvc://runs/x", "path": MODEL, "digest": "d"}
    status = {"conditions": [condition], "output": output, "lineage": lineage} | ({"plan": plan} if plan else {})
    return {"kind": "SFTJob", "metadata": {"name": "last", "uid": "u"}, "status": status}


@pytest.mark.parametrize("path", [None, "folder"])
def test_all_that_is_needed_of_an_upstream_is_copied(case, path):
    case.with_spec(model={"from": {"job": {"kind": "SFTJob", "name": "last"}}})
    case.observed(upstream=seen({"runs": {"claimName": "runs"} | ({"path": path} if path else {})}))
    want = upstream(digest="d", path=path or "", lineage=(entry(1),))
    assert judge_upstream(case.situation) == AdoptUpstream(upstream=want)


@pytest.mark.parametrize("plan", [None, {}])
def test_a_model_whose_claim_is_unknown_cannot_be_started_from(case, plan):
    case.with_spec(model={"from": {"job": {"kind": "SFTJob", "name": "last"}}}).observed(upstream=seen(plan))
    verdict = judge_upstream(case.situation)
    assert isinstance(verdict, Hold)
    message = "model.from.job: SFTJob last succeeded without a model to start from. Name a job that writes one."
    assert (verdict.reason, verdict.message) == ("UpstreamFailed", message)


@pytest.mark.parametrize(
    ("deleting", "there"), [(False, "does not exist in this namespace"), (True, "is being deleted")]
)
def test_an_upstream_that_is_not_there_is_said_in_whole_words(case, deleting, there):
    found = seen(None)
    found["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    case.with_spec(model={"from": {"job": {"kind": "SFTJob", "name": "last"}}})
    message = f"model.from.job: SFTJob last {there}. Create it; this job waits for it."
    assert judge_upstream(case.observed(upstream=found if deleting else None).situation).message == message


def test_a_model_from_scratch_has_no_upstream(case):
    spec = {
        "model": {"architecture": {"config": {"model_type": "llama"}}, "tokenizer": {"from": {"hub": {"repo": "r"}}}}
    }
    manifest = {"apiVersion": "trivium.dev/v1alpha1", "kind": "PretrainJob", "metadata": case.metadata}
    job = parse_job(manifest | {"spec": case.spec | spec | {"optimization": {"steps": 1}}})
    assert judge_upstream(replace(case.situation, job=job)) is None


def test_conditions_are_in_the_order_of_their_types_and_unknown_ones_last(t0):
    old = [
        Condition(type=kind, status="True", reason="R", last_transition_time=t0) for kind in ("Zebra", "Failed", "Ant")
    ]
    finding = Finding(type=ConditionType.ACCEPTED, status="True", reason="Valid", message="m" * 5000)
    merged = merge_findings(tuple(old), (finding,), generation=3, now=t0)
    assert [one.type for one in merged] == ["Accepted", "Failed", "Zebra", "Ant"]
    assert (merged[0].observed_generation, merged[0].message) == (3, "m" * 4096)
