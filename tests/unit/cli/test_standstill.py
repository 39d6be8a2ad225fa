"""When a run on one machine is over: nothing that it was asked for can move any more."""

import pytest

from trivium.cli.standstill import movable_uids, root_of

FROM_BASE = {"model": {"from": {"job": {"kind": "PretrainJob", "name": "base"}}}}


def moves(make, *jobs: dict) -> list[str]:
    movable = movable_uids(jobs)
    return [job["metadata"]["name"] for job in jobs if job["metadata"]["uid"] in movable]


@pytest.mark.parametrize(
    ("phase", "want"),
    [
        ("Pending", True),
        ("Preparing", True),
        ("Starting", True),
        ("Running", True),
        ("Restarting", True),
        ("Suspending", True),
        ("Succeeded", False),
        ("Failed", False),
    ],
)
def test_a_job_moves_until_it_is_over(make, phase: str, want: bool) -> None:
    assert moves(make, make.sft_job("a", phase=phase)) == (["a"] if want else [])


def test_a_new_job_moves(make) -> None:
    assert moves(make, make.sft_job("a")) == ["a"]


def test_a_suspended_job_moves_again_when_it_is_resumed(make) -> None:
    suspended = make.job("SFTJob", "a", spec={"model": {}, "runPolicy": {"suspend": True}}, phase="Suspended")
    resumed = make.job("SFTJob", "a", spec={"model": {}, "runPolicy": {"suspend": False}}, phase="Suspended")
    assert moves(make, suspended) == []
    assert moves(make, resumed) == ["a"]


@pytest.mark.parametrize("kind", ["Accepted", "Planned"])
def test_a_job_that_is_refused_does_not_move_until_its_spec_is_changed(make, kind: str) -> None:
    refused = make.sft_job("a", phase="Pending", conditions=[make.condition(kind, "False", "DoesNotFit")])
    assert moves(make, refused) == []
    refused["metadata"]["generation"] = 2
    assert moves(make, refused) == ["a"]


def waiting(make, reason: str = "UpstreamNotFinished") -> dict:
    conditions = [make.condition("UpstreamReady", "False", reason)]
    return make.job("SFTJob", "dependent", spec=FROM_BASE, phase="Waiting", conditions=conditions)


@pytest.mark.parametrize(("phase", "want"), [("Running", True), ("Succeeded", True), ("Failed", False)])
def test_a_job_that_waits_moves_if_its_upstream_does(make, phase: str, want: bool) -> None:
    names = moves(make, make.job("PretrainJob", "base", phase=phase), waiting(make))
    assert ("dependent" in names) is want


def test_a_job_whose_upstream_failed_or_is_missing_does_not_move(make) -> None:
    assert moves(make, waiting(make)) == []
    failed = waiting(make, reason="UpstreamFailed")
    assert "dependent" not in moves(make, make.job("PretrainJob", "base", phase="Running"), failed)


def test_jobs_that_wait_for_each_other_do_not_move(make) -> None:
    conditions = [make.condition("UpstreamReady", "False", "UpstreamNotFinished")]
    jobs = [
        make.job(
            "SFTJob",
            one,
            spec={"model": {"from": {"job": {"kind": "SFTJob", "name": other}}}},
            phase="Waiting",
            conditions=conditions,
        )
        for one, other in (("a", "b"), ("b", "a"))
    ]
    assert moves(make, *jobs) == []


def test_a_job_that_waits_shares_the_fate_of_what_it_waits_for(make) -> None:
    base, dependent = make.job("PretrainJob", "base", phase="Suspended"), waiting(make)
    assert root_of(dependent, [base, dependent]) is base
    assert root_of(base, [base, dependent]) is base
    assert root_of(dependent, [dependent]) is dependent
