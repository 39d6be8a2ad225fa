"""Workloads as Kueue 0.15 writes them: their conditions, with its reasons and its words. Values, no behavior.

Source: pkg/workload/workload.go, pkg/scheduler/flavorassigner/flavorassigner.go, pkg/scheduler/preemption/preemption.go.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from trivium.domain.workload import JOB_UID_LABEL
from trivium.ports import Manifest

CLUSTER_QUEUE, FLAVOR, LOCAL_QUEUE = "gpus", "a100", "default"
FINALIZER = "kueue.x-k8s.io/resource-in-use"
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
PREEMPTED = (
    "Preempted to accommodate a workload (UID: 5c0ffee, JobUID: 0ddba11) due to prioritization in the ClusterQueue; "
    f"preemptor path: /{CLUSTER_QUEUE}; preemptee path: /{CLUSTER_QUEUE}"
)


def new_workload(ray_job: Manifest) -> dict[str, Any]:
    """The Workload of a RayJob, before anybody has looked at it."""
    metadata, spec = ray_job["metadata"], ray_job["spec"]
    name, uid = metadata["name"], metadata["uid"]
    cluster = spec["rayClusterSpec"]
    groups = [(group["groupName"], group["replicas"], group["template"]) for group in cluster["workerGroupSpecs"]]
    head, submitter = cluster["headGroupSpec"]["template"], spec["submitterPodTemplate"]
    pods = [("head", 1, head), *groups, ("submitter", 1, submitter)]
    return {
        "apiVersion": "kueue.x-k8s.io/v1beta2",
        "kind": "Workload",
        "metadata": {
            "name": f"rayjob-{name}-{hashlib.sha256(uid.encode()).hexdigest()[:5]}",
            "namespace": metadata["namespace"],
            "labels": {JOB_UID_LABEL: uid},
            "finalizers": [FINALIZER],
            "ownerReferences": [
                {"apiVersion": "ray.io/v1", "kind": "RayJob", "name": name, "uid": uid, "controller": True}
            ],
        },
        "spec": {
            "active": True,
            "queueName": metadata["labels"][QUEUE_LABEL],
            "podSets": [{"name": name, "count": count, "template": template} for name, count, template in pods],
        },
        "status": {},
    }


def condition(workload: Manifest, kind: str) -> Mapping[str, Any]:
    """A condition of a Workload; empty if it is not there."""
    found = ((workload.get("status") or {}).get("conditions")) or ()
    return next((one for one in found if one["type"] == kind), {})


def holds(workload: Manifest, kind: str) -> bool:
    """Whether a condition is true."""
    return bool(condition(workload, kind).get("status") == "True")


def with_conditions(workload: Manifest, *said: tuple[str, bool, str, str], now: str, **status: Any) -> dict[str, Any]:
    """The status with conditions (type, status, reason, message) set, and parts replaced; None removes a part."""
    before = workload.get("status") or {}
    known = {one["type"]: one for one in before.get("conditions") or ()}
    for kind, truth, reason, message in said:
        value = "True" if truth else "False"
        moved = known.get(kind, {}).get("status") != value
        since = now if moved else known[kind]["lastTransitionTime"]
        known[kind] = {
            "type": kind, "status": value, "reason": reason, "message": message, "lastTransitionTime": since
        }  # fmt: skip
    parts = before | {"conditions": list(known.values())} | status
    return {name: value for name, value in parts.items() if value is not None}


def reserved(workload: Manifest, *, now: str) -> dict[str, Any]:
    """The status of one that gets its quota: no eviction is in force any more."""
    over = [
        (kind, False, "QuotaReserved", f"Previously: {condition(workload, kind)['message']}")
        for kind in ("Evicted", "Preempted")
        if holds(workload, kind)
    ]
    assignments = [
        {"name": pods["name"], "count": pods["count"], "flavors": {"cpu": FLAVOR, "nvidia.com/gpu": FLAVOR}}
        for pods in workload["spec"]["podSets"]
    ]
    return with_conditions(
        workload,
        ("QuotaReserved", True, "QuotaReserved", f"Quota reserved in ClusterQueue {CLUSTER_QUEUE}"),
        ("Admitted", True, "Admitted", "The workload is admitted"),
        *over,
        now=now,
        admission={"clusterQueue": CLUSTER_QUEUE, "podSetAssignments": assignments},
        requeueState=None,
    )


def refused(workload: Manifest, reason: str, message: str, *, now: str) -> dict[str, Any]:
    """The status of one that has no quota, or none any more."""
    lost = [("Admitted", False, "NoReservation", "The workload has no reservation")]
    return with_conditions(
        workload,
        ("QuotaReserved", False, reason, message),
        *(lost if condition(workload, "Admitted") else []),
        now=now,
        admission=None,
    )


def lacking(workload: Manifest) -> str:
    """Why a Workload does not fit while others have the quota."""
    pods = workload["spec"]["podSets"][1]
    return (
        f"couldn't assign flavors to pod set {pods['name']}: insufficient unused quota for nvidia.com/gpu in flavor "
        f"{FLAVOR}, {2 * pods['count']} more needed"
    )
