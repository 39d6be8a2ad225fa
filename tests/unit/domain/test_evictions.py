"""Kueue takes its quota back: whose doing it is, what it costs, and whether the same RayJob waits again.

Covered: every reason of Evicted, of what a Workload is given up for, and of one that is finished unrun.
"""

import pytest

from trivium.domain.pod_evidence import PodEvidence
from trivium.domain.verdict import End, Finish, Keep, Rerun

WORDS = "So it is."


def running(case, **fields):
    values = {"queue": "b", "queued": True, "run": 1, "ray_job_uid": "uid-a-train-1", "ray_cluster": "c1"}
    case.planned().attempt(**(values | {"admitted_at": case.time, "running_at": case.time} | fields))
    return case


def evicted(case, reason, **fields):
    running(case, **fields).ray_job("Suspended", "")
    return case.workload(("Evicted", "True", reason, WORDS), ("QuotaReserved", "False", "Pending", WORDS))


@pytest.mark.parametrize(
    ("reason", "verdict", "failure_class", "spent"),
    [
        ("Preempted", Rerun, "Preempted", 0),
        ("ClusterQueueStopped", Rerun, "Preempted", 0),
        ("LocalQueueStopped", Rerun, "Preempted", 0),
        ("FlavorMigration", Rerun, "Preempted", 0),
        ("Deactivated", Rerun, "Preempted", 0),
        ("AWordOfTheFuture", Rerun, "Preempted", 0),
        ("NodeFailures", End, "Infrastructure", 1),
        ("PodsReadyTimeout", End, "Infrastructure", 1),
        ("AdmissionCheck", End, "Infrastructure", 1),
        ("MaximumExecutionTimeExceeded", End, "Deadline", 0),
        ("DeactivatedDueToRequeuingLimitExceeded", End, "Infrastructure", 1),
        ("DeactivatedDueToAdmissionCheck", End, "Infrastructure", 1),
        ("DeactivatedDueToSomethingNew", End, "Infrastructure", 1),
        ("DeactivatedDueToMaximumExecutionTimeExceeded", End, "Deadline", 0),
    ],
)
def test_the_reason_of_an_eviction_decides_its_class_and_what_comes_next(case, reason, verdict, failure_class, spent):
    decision = evicted(case, reason).decide()
    assert isinstance(decision.verdict, verdict)
    failure = decision.status.attempts[0].failure
    assert (failure.failure_class, failure.reason) == (failure_class, reason)
    assert failure.message == f"Kueue took the quota back: {reason}. {WORDS}"
    assert decision.status.restart_budget.spent == spent
    assert len(decision.status.attempts) == (2 if verdict is Rerun else 1)


@pytest.mark.parametrize("reason", ["Deactivated", "ClusterQueueStopped"])
@pytest.mark.parametrize(("active", "want"), [(False, "Infrastructure"), (True, "Preempted")])
def test_what_kueue_has_deactivated_says_why_where_the_eviction_does_not(case, reason, active, want):
    workload = evicted(case, reason).raw["workloads"][0]
    workload["status"]["conditions"].append(
        {"type": "DeactivationTarget", "status": "True", "reason": "RequeuingLimitExceeded", "message": "ten times"}
    )
    workload["spec"]["active"] = active
    assert case.decide().verdict.failure.failure_class == want


def test_an_eviction_that_costs_a_restart_ends_the_job_when_none_is_left(case):
    case.with_spec(recovery={"maxRestarts": 0})
    case.status = evicted(case, "NodeFailures").decide().status
    case.raw["ray_jobs"] = case.raw["workloads"] = ()
    decision = case.decide()
    assert isinstance(decision.verdict, Finish)
    assert "all 0 restarts are spent" in decision.status.message


def test_the_node_of_an_eviction_is_the_one_that_its_pods_name(case):
    evicted(case, "NodeFailures")
    one = PodEvidence(pod="w", cluster="c1", node="n7", role="worker", disruption="DeletionByTaintManager")
    assert case.observed(evidence=(one,)).decide().verdict.failure.node == "n7"


@pytest.mark.parametrize(
    ("outcome", "failure_class", "want"),
    [
        ("Failed", "Infrastructure", (Rerun, "Preempted")),  # it saw a worker vanish, and not why
        ("Failed", "Hang", (Rerun, "Preempted")),
        ("Failed", "UserError", (End, "UserError")),
        ("Complete", None, (End, None)),
    ],
)
def test_a_trainer_that_saw_its_workers_vanish_was_preempted(case, outcome, failure_class, want):
    failure = {"class": failure_class, "reason": "Lost", "message": "m"} if failure_class else None
    verdict = evicted(case, "Preempted", outcome=outcome, failure=failure).decide().verdict
    found = verdict.failure.failure_class if verdict.failure is not None else None
    assert (type(verdict), found) == want


def test_an_attempt_that_ended_while_its_quota_was_taken_was_preempted(case):
    running(case).ray_job("Failed", "FAILED", rayClusterName="c1", message="gone")
    case.workload(("Evicted", "True", "Preempted", WORDS))
    verdict = case.decide().verdict
    assert (type(verdict), verdict.failure.failure_class) == (End, "Preempted")


@pytest.mark.parametrize("state", ["Suspending", "Running"])
def test_an_eviction_is_no_end_before_the_pods_are_gone(case, state):
    running(case).ray_job(state, "", rayClusterName="c1").workload(("Evicted", "True", "Preempted", WORDS))
    assert isinstance(case.decide().verdict, Keep)


def waiting(case):
    return running(case, ray_cluster="", admitted_at=None, running_at=None).ray_job("Suspended", "")


@pytest.mark.parametrize(
    ("conditions", "active", "want"),
    [
        ([("Finished", "True", "FailedToStart", WORDS)], True, ("Internal", "WorkloadFailedToStart")),
        ([("Finished", "True", "OutOfSync", WORDS)], True, ("Internal", "WorkloadOutOfSync")),
        ([("Finished", "True", "Failed", WORDS)], True, None),  # KubeRay says how
        ([("Finished", "True", "Succeeded", WORDS)], True, None),
        ([("Evicted", "True", "DeactivatedDueToRequeuingLimitExceeded", WORDS)], False, ("Infrastructure", "Dea")),
        ([("Evicted", "True", "DeactivatedDueToRequeuingLimitExceeded", WORDS)], True, None),  # somebody activated it
        ([("Evicted", "True", "Deactivated", WORDS)], False, None),  # a person's doing, and a person's to undo
        ([("Evicted", "True", "Preempted", WORDS)], True, None),  # of the attempt before
        ([("Evicted", "True", "AdmissionCheck", WORDS)], True, None),  # asked again after a pause
        ([], False, None),
        ([], True, None),
    ],
)
def test_what_kueue_will_never_start_does_not_wait_for_ever(case, conditions, active, want):
    decision = waiting(case).workload(*conditions, active=active).decide()
    if want is None:
        assert isinstance(decision.verdict, Keep)
        return
    failure = decision.verdict.failure
    assert failure.failure_class == want[0]
    assert failure.reason.startswith(want[1])
    assert WORDS in failure.message


@pytest.mark.parametrize("reason", ["FailedToStart", "OutOfSync"])
@pytest.mark.parametrize(("restarts", "final"), [(0, True), (1, False)])
def test_a_ray_job_that_cannot_be_started_is_made_again_while_there_is_budget(case, reason, restarts, final):
    """The flavor of the next one may be another."""
    case.with_spec(recovery={"maxRestarts": restarts})
    case.status = waiting(case).workload(("Finished", "True", reason, WORDS)).decide().status
    case.raw["ray_jobs"] = case.raw["workloads"] = ()
    assert isinstance(case.decide().verdict, Finish) is final


def test_quota_that_is_lost_before_the_ray_cluster_has_a_name_is_waited_for_again(case):
    waiting(case).raw["ray_jobs"] = ()
    case.status = case.ray_job("", "").at(5).decide().status
    assert case.status.attempts[-1].admitted_at is not None
    case.raw["ray_jobs"] = ()
    status = case.ray_job("Suspended", "").at(9).decide().status
    assert (status.attempts[-1].admitted_at, status.phase) == (None, "Queued")


def test_an_eviction_of_many_words_fits_a_status(case):
    evicted(case, "Preempted").raw["workloads"][0]["status"]["conditions"][0]["message"] = "w\x1b" * 9000
    message = case.decide().status.attempts[0].failure.message
    assert len(message) == 1024
    assert message.endswith("www")
