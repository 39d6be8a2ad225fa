"""What Kueue may do to a job, one deed a history: what became of the attempt, what that cost, and what was said of it."""

import pytest

from simulator import workloads
from simulator.faults import kueue, quota
from simulator.history import play
from simulator.script import Script, Strike
from trivium.domain.workload import read_workload

FAULTS = kueue.FAULTS | quota.FAULTS
PREEMPTED, BROKEN = ("Preempted", 0), ("Infrastructure", 1)
NOTHING = (None, 0)
# What befalls a running attempt: the class of its failure, and what that costs.
WANT = {
    "Kueue evicts": (*PREEMPTED, "Preempted"),
    "Kueue's webhook is down": (*NOTHING, None),
    "Kueue is down": (*NOTHING, None),
    "other tenants have the quota": (*NOTHING, None),
    "the queue is stopped": (*PREEMPTED, "ClusterQueueStopped"),
    "Kueue evicts from a failed node": (*BROKEN, "NodeFailures"),
    "Kueue finds the pods too slow": (*BROKEN, "PodsReadyTimeout"),
    "an admission check is asked again": (*BROKEN, "AdmissionCheck"),
    "Kueue gives the Workload up": (*BROKEN, "DeactivatedDueToRequeuingLimitExceeded"),
    "somebody deactivates the Workload": (*PREEMPTED, "Deactivated"),
    "somebody deletes the Workload": (*PREEMPTED, "QuotaTaken"),
}


def history(fault, phase, *, after=0.0, queue=None):
    strike = Strike(fault=fault, phase=phase, after=after, amount=FAULTS[fault].amount)
    result = play(Script(default_queue=True, profile_queue=queue, strikes=(strike,)))
    assert not result.failed, str(result)
    assert sum(result.struck.values()) == 1, "it struck nothing"
    return result


def test_the_table_is_full():
    assert set(WANT) | {"Kueue cannot start the RayJob"} == set(FAULTS)


@pytest.mark.parametrize("queue", [None, "default"])
@pytest.mark.parametrize("fault", list(WANT))
def test_what_befalls_a_running_attempt_costs_what_its_reason_says(fault, queue):
    (status,) = history(fault, "Running", after=20.0, queue=queue).statuses
    failures = [one["failure"] for one in status["attempts"] if "failure" in one]
    failure_class, spent, reason = WANT[fault]
    want = [] if failure_class is None else [(failure_class, reason)]
    assert [(one["class"], one["reason"]) for one in failures] == want
    assert (status["phase"], status["restartBudget"]["spent"]) == ("Succeeded", spent)
    # Free evictions run the same RayJob again; the others make a new one.
    runs = len({one["run"] for one in status["attempts"]})
    assert runs == 2 + spent


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("Kueue gives the Workload up", "DeactivatedDueToRequeuingLimitExceeded"),
        ("Kueue cannot start the RayJob", "WorkloadFailedToStart"),
    ],
)
def test_what_kueue_will_not_start_ends_the_wait(fault, reason):
    strikes = [Strike(fault="other tenants have the quota", phase="Pending", amount=60.0)]
    strikes.append(Strike(fault=fault, phase="Queued", after=20.0))
    result = play(Script(default_queue=True, strikes=tuple(strikes)))
    assert not result.failed, str(result)
    (status,) = result.statuses
    assert status["attempts"][0]["failure"]["reason"] == reason
    assert (status["phase"], status["restartBudget"]["spent"]) == ("Succeeded", 1)


def test_a_workload_is_as_kueue_makes_it():
    """Names and order of its parts, as read in pkg/controller/jobs/rayjob at 0.15.0."""
    ray_job = {
        "metadata": {"name": "a-1", "namespace": "team", "uid": "u", "labels": {workloads.QUEUE_LABEL: "b"}},
        "spec": {
            "rayClusterSpec": {
                "headGroupSpec": {"template": {"spec": "h"}},
                "workerGroupSpecs": [{"groupName": "workers", "replicas": 3, "template": {"spec": "w"}}],
            },
            "submitterPodTemplate": {"spec": "s"},
        },
    }
    made = workloads.new_workload(ray_job)
    assert made["metadata"]["name"].startswith("rayjob-a-1-")
    pods = [(one["name"], one["count"], one["template"]["spec"]) for one in made["spec"]["podSets"]]
    assert pods == [("head", 1, "h"), ("workers", 3, "w"), ("submitter", 1, "s")]
    admitted = made | {"status": workloads.reserved(made, now="t")}
    told = [("Evicted", True, "Preempted", "for others"), ("Preempted", True, "InClusterQueue", "for others")]
    evicted = admitted | {"status": workloads.with_conditions(admitted, *told, now="t")}
    assert read_workload([evicted]).evicted.reason == "Preempted"
    waits = evicted | {"status": workloads.refused(evicted, "Pending", "for others", now="t")}
    assert "admission" not in waits["status"]
    again = waits | {"status": workloads.reserved(waits, now="t")}
    assert workloads.condition(again, "Evicted")["message"] == "Previously: for others"
    assert read_workload([again]).evicted is None
