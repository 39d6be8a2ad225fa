"""The job that another one starts from, in every state it may be in; and what is left of a job after its end."""

from datetime import timedelta

import pytest

from trivium.domain.verdict import Adopt, AdoptUpstream, Begin, Hold, Rest

MODEL = "team/SFTJob/base/uid-base/train/output/model"
OUTPUT = {"uri": f"pvc://runs/{MODEL}", "path": MODEL, "digest": "sha256:1"}


def upstream(*, succeeded=None, failed=None, output=OUTPUT, deleting=False, uid="uid-base"):
    conditions = [
        {"type": kind, "status": status, "reason": "R", "lastTransitionTime": "2026-01-01T00:00:00Z"}
        for kind, status in (("Succeeded", succeeded), ("Failed", failed))
        if status
    ]
    metadata = {"name": "base", "namespace": "team", "uid": uid}
    if deleting:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    status = {
        "conditions": conditions,
        "plan": {"runs": {"claimName": "runs"}},
        **({"output": output} if output else {}),
    }
    return {"apiVersion": "trivium.dev/v1alpha1", "kind": "SFTJob", "metadata": metadata, "status": status}


def starts_from(case, name="base"):
    case.spec["model"] = {"from": {"job": {"kind": "SFTJob", "name": name}}}
    return case


@pytest.mark.parametrize(
    ("seen", "want", "reason", "word"),
    [
        (None, Hold, "UpstreamNotFound", "does not exist"),
        (upstream(deleting=True, succeeded="True"), Hold, "UpstreamNotFound", "is being deleted"),
        (upstream(), Hold, "UpstreamNotFinished", "Waits for SFTJob base"),
        (upstream(failed="True"), Hold, "UpstreamFailed", "create it again corrected"),
        (upstream(succeeded="True", output=None), Hold, "UpstreamFailed", "without a model"),
        (upstream(succeeded="True", output=OUTPUT | {"path": "x/prepare/output"}), Hold, "UpstreamFailed", "without a model"),
        (upstream(succeeded="True"), AdoptUpstream, "UpstreamSucceeded", "Starts from SFTJob base"),
    ],
)  # fmt: skip
def test_each_state_of_the_upstream_is_waited_for_or_adopted_and_said(case, seen, want, reason, word):
    decision = starts_from(case).observed(upstream=seen).decide()
    assert isinstance(decision.verdict, want)
    condition = next(c for c in decision.status.conditions if c.type == "UpstreamReady")
    assert condition.reason == reason
    assert word in condition.message


@pytest.mark.parametrize(
    "later",
    [None, upstream(deleting=True), upstream(failed="True"), upstream(uid="uid-other"), upstream(succeeded="True")],
)
def test_once_adopted_it_may_be_deleted_or_changed(case, later):
    case.status = starts_from(case).observed(upstream=upstream(succeeded="True")).decide().status
    decision = case.observed(upstream=later).decide()
    assert isinstance(decision.verdict, Adopt)
    assert decision.status.upstream.uid == "uid-base"


def test_another_upstream_is_waited_for_anew_while_nothing_is_planned(case):
    case.status = starts_from(case).observed(upstream=upstream(succeeded="True")).decide().status
    decision = starts_from(case, "other").observed(upstream=None).decide()
    assert isinstance(decision.verdict, Hold)
    assert "other" in decision.status.message


def test_a_suspended_job_says_whether_its_upstream_is_ready(case):
    starts_from(case).with_spec(runPolicy={"suspend": True}).observed(upstream=upstream(succeeded="True"))
    conditions = {c.type: c.status for c in case.decide().status.conditions}
    assert (conditions["UpstreamReady"], conditions["Suspended"]) == ("True", "True")


def over(case, **policy):
    condition = {"type": "Succeeded", "status": "True", "reason": "R", "last_transition_time": case.time}
    return case.with_spec(runPolicy=policy).planned().record(conditions=(condition,), ended_at=case.time)


@pytest.mark.parametrize(
    ("ttl", "now", "deleted", "look"),
    [
        (None, 10**8, False, None),
        (100, 99, False, 100),
        (100, 100, True, None),
        (0, 0, True, None),
        (100, -3600, False, 100),  # the clock went back: later, never earlier
        (100, 10**7, True, None),
    ],
)
def test_a_job_lives_as_long_after_its_end_as_it_says(case, t0, ttl, now, deleted, look):
    decision = over(case, **({} if ttl is None else {"ttlSecondsAfterFinished": ttl})).at(now).decide()
    assert isinstance(decision.verdict, Rest)
    assert decision.delete_job is deleted
    assert decision.next_look == (None if look is None else t0 + timedelta(seconds=look))
    assert decision.status == case.status


def test_what_is_left_of_an_ended_job_goes_and_nothing_starts_again(case):
    decision = over(case, suspend=False).ray_job("Complete", "SUCCEEDED", name="a-train-9").decide()
    assert [one.name for one in decision.ray_jobs_to_delete] == ["a-train-9"]
    assert decision.run is None
    assert not isinstance(decision.verdict, Begin)
