"""Kueue: the queue of an attempt, waiting that costs nothing, and the same RayJob run again after a preemption."""

from datetime import timedelta

import pytest

from trivium.api import parse_job, parse_profile
from trivium.domain.pod_evidence import PodEvidence
from trivium.domain.queueing import resolve_place
from trivium.domain.verdict import Begin, End, Hold, Keep, QueuePlace, Rerun

QUEUES = {"allowed": ["a", "b"], "default": "b"}
REQUIRED = {"allowed": ["a", "b"]}


def profile(queue=None, priority=None):
    spec = {"image": "i", "rayVersion": "2.60.0", "worker": {"cpu": 4, "memory": "8Gi"}, "default": True}
    spec |= {name: value for name, value in (("queue", queue), ("priority", priority)) if value}
    return {
        "apiVersion": "trivium.dev/v1alpha1",
        "kind": "ComputeProfile",
        "metadata": {"name": "cpu", "generation": 1},
        "spec": spec,
    }


@pytest.mark.parametrize(
    ("stage", "compute", "queue", "priority", "want"),
    [
        ("train", {}, None, None, QueuePlace()),
        ("train", {}, QUEUES, None, QueuePlace(queue="b")),
        ("train", {"queue": "a"}, QUEUES, None, QueuePlace(queue="a")),
        ("train", {"queue": "c"}, QUEUES, None, "spec.compute.queue: c is not allowed"),
        ("train", {"queue": "a"}, None, None, "Remove it."),
        ("prepare", {"queue": "c"}, QUEUES, None, QueuePlace(queue="b")),  # the wish is about the machines that train
        ("prepare", {"queue": "a"}, None, None, QueuePlace()),
        ("train", {}, QUEUES, {"allowed": ["low"], "default": "low"}, QueuePlace(queue="b", priority="low")),
        ("train", {}, QUEUES, {"allowed": ["low"]}, QueuePlace(queue="b")),
        ("train", {"priority": "low"}, QUEUES, {"allowed": ["low"]}, QueuePlace(queue="b", priority="low")),
        ("train", {"priority": "high"}, QUEUES, {"allowed": ["low"]}, "spec.compute.priority: high is not allowed"),
        ("train", {}, None, {"allowed": ["low"], "default": "low"}, QueuePlace()),  # no queue, no turn to take
        ("train", {}, REQUIRED, None, "spec.compute.queue: ComputeProfile cpu requires one. Set it to one of a, b."),
        ("train", {"queue": "a"}, REQUIRED, None, QueuePlace(queue="a")),
        ("prepare", {"queue": "c"}, REQUIRED, None, "ComputeProfile cpu requires one."),
        ("prepare", {"queue": "b"}, REQUIRED, None, QueuePlace(queue="b")),
    ],
)
def test_the_queue_is_the_jobs_wish_within_the_profiles_lists(case, stage, compute, queue, priority, want):
    job = parse_job(case.with_spec(compute=compute).job.model_dump(mode="json", by_alias=True, exclude_none=True))
    found = resolve_place(job, parse_profile(profile(queue, priority)), stage=stage)
    assert want in found if isinstance(want, str) else found == want


def queued(case, **fields):
    return case.planned(gpus_per_worker=1).attempt(
        **({"queue": "b", "queued": True, "run": 1, "gpus": 1, "ray_job_uid": "uid-a-train-1"} | fields)
    )


def test_an_attempt_waits_in_its_queue_and_holds_nothing(case):
    case.observed(profiles=(profile(QUEUES),)).planned()
    decision = case.decide()
    assert isinstance(decision.verdict, Begin)
    case.status = decision.status
    assert (case.status.queue, case.status.attempts[-1].queue, case.status.attempts[-1].queued) == ("b", "b", True)
    run = case.decide().run
    assert (run.queue, run.number) == ("b", 1)
    case.ray_job("Suspended", "")
    decision = case.at(9000).decide()
    assert (decision.status.phase, isinstance(decision.verdict, Keep)) == ("Queued", True)
    condition = next(c for c in decision.status.conditions if c.type == "QuotaReserved")
    assert (condition.status, condition.reason) == ("False", "Queued")
    assert "queue b" in decision.status.message
    assert decision.next_look is None  # no deadline runs in a queue


def test_a_queue_that_the_profile_does_not_allow_is_waited_for_and_said(case):
    case.observed(profiles=(profile(QUEUES),)).planned().with_spec(compute={"queue": "c"})
    decision = case.decide()
    assert isinstance(decision.verdict, Hold)
    assert "Set it to one of a, b, or remove it" in decision.status.message
    assert isinstance(case.with_spec(compute={"queue": "a"}).decide().verdict, Begin)


def test_a_job_that_names_no_queue_where_one_is_required_is_refused_with_a_condition(case):
    case.observed(profiles=(profile(REQUIRED),)).planned()
    status = case.decide().status
    planned = next(c for c in status.conditions if c.type == "Planned")
    assert (planned.status, planned.reason) == ("False", "NotAllowedByProfile")
    assert "ComputeProfile cpu requires one" in status.message
    assert (status.phase, status.attempts) == ("Pending", ())


def test_machines_are_held_from_the_moment_of_the_quota(case, t0):
    queued(case).ray_job("Initializing", "", rayClusterName="c1", startTime="2026-01-01T01:00:00Z")
    case.status = case.at(3610).decide().status
    attempt = case.status.attempts[-1]
    assert (attempt.admitted_at, attempt.ray_cluster) == (t0 + timedelta(hours=1), "c1")
    assert next(c for c in case.status.conditions if c.type == "QuotaReserved").status == "True"
    case.raw["ray_jobs"] = ()
    case.status = case.ray_job("Failed", "FAILED", rayClusterName="c1").at(3700).decide().status
    assert (case.status.gpu_seconds, case.status.active_seconds) == (100, 100)
    assert next(c for c in case.status.conditions if c.type == "QuotaReserved").reason == "Finished"


@pytest.mark.parametrize("seconds", [0, 100_000])
def test_a_trainer_that_has_just_left_a_long_queue_is_not_silent(case, seconds):
    queued(case).ray_job("Suspended", "")
    case.status = case.at(seconds).decide().status
    case.raw["ray_jobs"] = ()
    case.ray_job("Running", "RUNNING", rayClusterName="c1")
    assert isinstance(case.at(seconds + 1).decide().verdict, Keep)


@pytest.mark.parametrize(("state", "phase"), [("Initializing", "Queued"), ("Hibernating", "Pending")])
def test_the_cluster_that_kuberay_names_for_what_is_born_suspended_is_not_the_attempts(case, state, phase):
    queued(case)
    ray_job = {
        "metadata": {"name": "a-train-1", "uid": "uid-a-train-1"},
        "spec": {"suspend": True},
        "status": {"jobDeploymentStatus": state, "rayClusterName": "stillborn"},
    }
    status = case.observed(ray_jobs=(ray_job,)).decide().status
    assert (status.attempts[-1].ray_cluster, status.phase) == ("", phase)


@pytest.mark.parametrize(
    ("deployment", "job", "cluster", "want"),
    [
        ("Suspending", "", "c1", Keep),  # its last reports may still come
        ("Suspended", "", "", Rerun),
        ("", "", "", Rerun),
        ("Initializing", "", "c2", Rerun),  # the wait went unseen
        ("Running", "RUNNING", "c2", Rerun),
        ("Running", "RUNNING", "c1", Keep),
        ("Failed", "FAILED", "c2", End),
        ("Hibernating", "", "", Keep),
    ],
)
def test_an_attempt_is_over_when_its_cluster_is_gone(case, deployment, job, cluster, want):
    queued(case, ray_cluster="c1", admitted_at=case.time, running_at=case.time)
    case.ray_job(deployment, job, rayClusterName=cluster)
    assert isinstance(case.at(100).decide().verdict, want)


def test_the_same_ray_job_is_run_again_as_a_new_attempt_free_of_charge(case, t0):
    queued(case, ray_cluster="c1", admitted_at=t0, running_at=t0, last_step=7)
    case.ray_job("Suspended", "").record(restart_budget={"spent": 2})
    decision = case.at(100).decide()
    old, new = decision.status.attempts
    assert (old.outcome, old.failure.failure_class, old.failure.reason) == ("Failed", "Preempted", "QuotaTaken")
    assert (new.number, new.run, new.ray_job, new.ray_job_uid, new.ray_cluster) == (
        2, 1, "a-train-1", "uid-a-train-1", "",
    )  # fmt: skip
    assert (decision.status.restart_budget.spent, decision.status.restarts) == (2, 1)
    assert (decision.status.phase, decision.ray_jobs_to_delete) == ("Queued", ())
    assert decision.status.gpu_seconds == 100
    case.status = decision.status
    again = case.at(200).decide()
    assert (again.status, again.ray_jobs_to_delete, again.run.number) == (decision.status, (), 1)


def test_a_last_word_before_the_queue_took_the_quota_is_heard(case):
    queued(case, ray_cluster="c1", admitted_at=case.time, running_at=case.time, outcome="Complete")
    decision = case.ray_job("Suspended", "").decide()
    assert (type(decision.verdict), decision.verdict.outcome) == (End, "Complete")


def test_a_suspension_in_the_queue_ends_the_wait_at_once(case):
    queued(case, ray_cluster="c1", admitted_at=case.time, running_at=case.time)
    decision = case.with_spec(runPolicy={"suspend": True}).ray_job("Suspended", "").decide()
    assert (type(decision.verdict), decision.verdict.outcome) == (End, "Stopped")


def test_pods_of_the_attempt_before_say_nothing_about_this_one(case, t0):
    queued(case, ray_cluster="c1", ended_at=t0, outcome="Stopped")
    case.attempt(number=2, ray_job="a-train-1", ray_cluster="c2", run=1)
    case.ray_job("Failed", "FAILED", reason="AppFailed", rayClusterName="c2")
    old = PodEvidence(pod="w", cluster="c1", disruption="PreemptionByScheduler")
    new = PodEvidence(pod="x", cluster="c2", out_of_memory=True)
    failure = case.observed(evidence=(old, new)).decide().verdict.failure
    assert failure.reason == "OOMKilled"


@pytest.mark.parametrize(
    ("state", "compute", "want"),
    [
        ("Suspended", {"queue": "b"}, Keep),
        ("Suspended", {"queue": "a"}, End),
        ("Suspended", {"queue": "c"}, Keep),  # not allowed: it keeps its place
        ("Suspended", {"workers": 2, "queue": "b"}, End),
        ("Initializing", {"queue": "a"}, Keep),  # it has its quota
        ("Initializing", {"workers": 2}, Keep),
    ],
)
def test_an_attempt_that_waits_follows_an_edit(case, state, compute, want):
    queued(case).observed(profiles=(profile(QUEUES),)).with_spec(compute=compute)
    decision = case.ray_job(state, "").decide()
    assert isinstance(decision.verdict, want)
    if want is End:
        assert decision.verdict.outcome == "Stopped"
        assert decision.status.phase != "Suspending"


def test_an_edit_that_was_refused_does_not_cost_the_place_in_the_queue(case):
    note = "compute.workers: 2 is not followed: it would change zero_stage."
    case.observed(profiles=(profile(QUEUES),)).with_spec(compute={"workers": 2}).planned(notes=(note,))
    case.attempt(queue="b", queued=True, run=1).ray_job("Suspended", "")
    assert isinstance(case.decide().verdict, Keep)


def test_a_queue_that_the_namespace_gives_by_default_is_waited_in(case):
    case.planned().attempt().ray_job("Suspended", "")
    case.status = case.decide().status
    assert (case.status.attempts[-1].queued, case.status.phase) == (True, "Queued")
    assert isinstance(case.decide().verdict, Keep)


@pytest.mark.parametrize(
    ("deployment", "job", "deleting", "admitted"),
    [
        ("Initializing", "", False, True),
        ("Running", "RUNNING", False, True),
        ("Failed", "FAILED", False, True),  # it came and went while nobody looked
        ("Suspended", "", False, False),
        ("Suspended", "", True, False),
        ("ValidationFailed", "", False, False),
        ("Hibernating", "", False, False),
    ],
)
def test_only_what_has_quota_holds_machines(case, deployment, job, deleting, admitted):
    queued(case).ray_job(deployment, job, deleting=deleting)
    attempt = case.at(50).decide().status.attempts[-1]
    assert (attempt.admitted_at is not None) is admitted
