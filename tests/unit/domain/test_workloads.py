"""Kueue's Workload: what is read of it, what is kept of it, and what waiting in it says to people.

Covered: each condition and reason of Kueue 0.15 and those that 0.19 adds. Left out: what Kueue does next, which the
simulator plays.
"""

import pytest

from trivium.domain.workload import Said, WorkloadSeen, project_workload, read_workload
from trivium.store.projection import project

PENDING = (
    "couldn't assign flavors to pod set workers: insufficient unused quota for nvidia.com/gpu in flavor a100, 2 more"
)
EVICTED = ("Evicted", "True", "Preempted", "Preempted to accommodate a workload (UID: u) due to prioritization")
RESERVED = ("QuotaReserved", "True", "QuotaReserved", "Quota reserved in ClusterQueue gpus")
ADMISSION = {
    "clusterQueue": "gpus",
    "podSetAssignments": [
        {"name": "head", "flavors": {"cpu": "plain"}, "count": 1},
        {"name": "workers", "flavors": {"cpu": "a100", "nvidia.com/gpu": "a100"}, "topologyAssignment": {"levels": []}},
    ],
}


def waiting(case):
    case.planned(gpus_per_worker=1)
    case.attempt(queue="b", queued=True, run=1, gpus=1, ray_job_uid="uid-a-train-1")
    return case.ray_job("Suspended", "")


def quota_of(status):
    found = next(c for c in status.conditions if c.type == "QuotaReserved")
    return found.status, found.reason, found.message


@pytest.mark.parametrize(
    "reason",
    [
        "Pending",
        "Inadmissible",
        "Waiting",
        # Kueue 0.19
        "NoMatchingFlavor",
        "WaitingForQuota",
        "ExceedsMaxQuota",
        "TopologyPlacementFailed",
        "WaitingForPreemptedWorkloads",
        "Misconfigured",
        "Suspended",
        "PendingEvaluation",
        "WaitingForPodsReady",
        "AWordOfTheFuture",
    ],
)
def test_what_a_queue_lacks_is_told_in_kueues_own_words(case, reason):
    status = waiting(case).workload(("QuotaReserved", "False", reason, PENDING)).decide().status
    assert quota_of(status) == ("False", reason, PENDING)
    assert status.phase == "Queued"
    want = f"Attempt 1 waits for quota in queue b since 2026-01-01T00:00:00Z; it holds nothing. Kueue says: {reason}. {PENDING}"
    assert status.message == want


@pytest.mark.parametrize(
    ("conditions", "status", "want", "message"),
    [
        (
            [],
            {},
            ("False", "Queued"),
            "waits for quota in queue b since 2026-01-01T00:00:00Z; it holds nothing. See kubectl",
        ),
        ([RESERVED], {}, ("True", "QuotaReserved"), "Attempt 1 has quota and waits for admission checks."),
        (
            [RESERVED],
            {"admissionChecks": [{"name": "prov", "state": "Pending", "message": "asked"}, {"state": "Ready"}]},
            ("True", "QuotaReserved"),
            "waits for admission checks. prov: Pending: asked",
        ),
        (
            [RESERVED, ("Admitted", "True", "Admitted", "The workload is admitted")],
            {"admission": ADMISSION},
            ("True", "QuotaReserved"),
            "Attempt 1 is admitted by ClusterQueue gpus, flavor a100, plain; it is about to start.",
        ),
        ([RESERVED, EVICTED], {}, ("False", "Preempted"), f"Kueue says: Preempted. {EVICTED[3]}"),
        (
            [("QuotaReserved", "False", "Pending", EVICTED[3]), EVICTED],
            {},
            ("False", "Pending"),
            f"Kueue says: Pending. {EVICTED[3]}",
        ),
        ([], {"active": False}, ("False", "Deactivated"), "Deactivated. The Workload's spec.active is false."),
        ([EVICTED], {"active": False}, ("False", "Deactivated"), "Deactivated. The Workload's spec.active is false."),
        (
            [("QuotaReserved", "False", "Pending", "no"), ("Evicted", "True", "Deactivated", "It is deactivated")],
            {"active": False},
            ("False", "Deactivated"),
            "Kueue says: Deactivated. It is deactivated",
        ),
    ],
)
def test_an_attempt_that_waits_says_what_kueue_has_decided(case, conditions, status, want, message):
    found = waiting(case).workload(*conditions, **status).decide().status
    assert quota_of(found)[:2] == want
    assert message in found.message
    assert (found.phase, found.attempts[-1].ended_at) == ("Queued", None)


@pytest.mark.parametrize(("reason", "want"), [("Not a word!", "Queued"), ("", "Queued"), ("x" * 200, "Queued")])
def test_a_reason_that_a_status_cannot_hold_is_left_out_and_its_message_is_not(case, reason, want):
    status = waiting(case).workload(("QuotaReserved", "False", reason, "m" * 9000 + "\x1b")).decide().status
    assert quota_of(status)[:2] == ("False", want)
    assert set(quota_of(status)[2]) == {"m"}
    assert len(quota_of(status)[2]) == 4096


def test_a_running_attempt_says_who_gave_it_which_machines_and_how_long_that_took(case):
    waiting(case).workload(RESERVED, ("Admitted", "True", "Admitted", ""), admission=ADMISSION)
    case.raw["ray_jobs"] = ()
    case.ray_job("Initializing", "", rayClusterName="c1", startTime="2026-01-01T00:12:34Z")
    status = case.at(800).decide().status
    want = "Admitted by ClusterQueue gpus, flavor a100, plain after 754 s in the queue."
    assert quota_of(status) == ("True", "Admitted", want)


@pytest.mark.parametrize(
    ("state", "created", "seconds", "warned"),
    [
        ("Suspended", "2026-01-01T00:00:00Z", 59, False),
        ("Suspended", "2026-01-01T00:00:00Z", 60, True),
        ("", "2026-01-01T00:00:10Z", 60, False),
        ("", "2026-01-01T00:00:10Z", 70, True),
        ("Suspended", None, 900, False),
    ],
)
def test_a_ray_job_that_nothing_admits_says_so_after_a_minute(case, state, created, seconds, warned):
    waiting(case).raw["ray_jobs"][0]["metadata"]["creationTimestamp"] = created
    case.raw["ray_jobs"][0]["spec"] = {"suspend": True}
    case.raw["ray_jobs"][0]["status"]["jobDeploymentStatus"] = state
    decision = case.at(seconds).decide()
    assert (quota_of(decision.status)[1] == "NoWorkload") is warned
    nobody = "nothing admits it: is Kueue running, and does its RayJob integration watch this namespace?"
    assert (nobody in decision.status.message) is warned
    assert (decision.next_look is not None) is (created is not None and not warned)


def test_the_queue_that_the_namespace_gave_is_named(case):
    case.planned().attempt().ray_job("Suspended", "").workload(("QuotaReserved", "False", "Pending", "no"))
    assert (
        "Attempt 1 waits for quota in queue b since 2026-01-01T00:00:00Z; it holds nothing."
        in case.decide().status.message
    )


def test_the_newest_workload_that_is_not_being_deleted_counts():
    old = {"metadata": {"name": "z", "creationTimestamp": "2026-01-01T00:00:00Z"}}
    new = {"metadata": {"name": "a", "creationTimestamp": "2026-01-01T00:00:05Z"}}
    going = {"metadata": {"name": "b", "creationTimestamp": "2026-01-01T00:00:09Z", "deletionTimestamp": "x"}}
    assert read_workload([old, new, going]) == WorkloadSeen(name="a")
    assert read_workload([going]) is None
    assert read_workload([]) is None


def manifest():
    pods = {"template": {"spec": {"containers": [{"image": "i" * 10_000}]}}, "count": 1, "name": "head"}
    told = [RESERVED, ("Admitted", "True", "Admitted", "yes"), EVICTED, ("Finished", "True", "Failed", "m" * 10_000)]
    return {
        "apiVersion": "kueue.x-k8s.io/v1beta2",
        "kind": "Workload",
        "metadata": {"name": "w", "uid": "u", "resourceVersion": "7", "managedFields": ["x" * 10_000]},
        "spec": {"podSets": [pods], "queueName": "b", "active": False, "priority": 5},
        "status": {
            "conditions": [
                dict(zip(("type", "status", "reason", "message"), one, strict=True)) | {"lastTransitionTime": "t"}
                for one in told
            ],
            "admission": ADMISSION,
            "admissionChecks": [{"name": "c", "state": "Retry", "message": "no", "podSetUpdates": ["x" * 10_000]}],
            "resourceRequests": ["x" * 10_000],
        },
    }


def test_what_is_kept_of_a_workload_says_the_same_and_is_small():
    whole, kept = manifest(), project(manifest())
    assert read_workload([kept]) == read_workload([whole])
    assert len(repr(kept)) < 6_000
    assert read_workload([whole]) == WorkloadSeen(
        name="w",
        queue="b",
        cluster_queue="gpus",
        flavors=("a100", "plain"),
        active=False,
        reserved=Said(reason="QuotaReserved", message="Quota reserved in ClusterQueue gpus"),
        admitted=True,
        evicted=Said(reason="Preempted", message=EVICTED[3]),
        finished=Said(reason="Failed", message="m" * 4096),
        checks=("c: Retry: no",),
    )


def test_a_workload_without_anything_in_it_is_read_as_it_is():
    assert read_workload([{"metadata": {"name": "w"}, "status": {}}]) == WorkloadSeen(name="w")
    assert project_workload({"kind": "Workload"})["status"] == {"conditions": []}
