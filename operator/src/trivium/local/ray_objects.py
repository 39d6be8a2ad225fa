"""What KubeRay would show of an attempt: statuses of RayJob, RayCluster and the head pod. Pure.

Only the fields that KubeRay 1.6 writes (facts: RayJob.status has no conditions), plus the pod as the kubelet leaves it,
because a pod's exit code, reason and disruption are the evidence that decides a failure's class.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from trivium.ports import Manifest

Object = dict[str, Any]
Status = dict[str, Any]

# Ray keeps this much of a failed driver's log in the job's message, and KubeRay copies it.
_TAIL_LINES = 10
_TAIL_CHARACTERS = 20_000
_KILLED = 137


def initializing(*, ray_cluster: str, at: datetime) -> Status:
    """The RayCluster is being made."""
    return {
        "jobDeploymentStatus": "Initializing",
        "jobStatus": "",
        "rayClusterName": ray_cluster,
        "startTime": _rfc(at),
    }


def running(before: Mapping[str, Any], *, job_id: str, at: datetime) -> Status:
    """The cluster is ready and the driver started."""
    return {
        **before,
        "jobId": job_id,
        "jobDeploymentStatus": "Running",
        "jobStatus": "RUNNING",
        "rayClusterStatus": {"state": "ready"},
        "rayJobInfo": {"startTime": _rfc(at)},
    }


def ended(before: Mapping[str, Any], *, exit_code: int, log: str, at: datetime) -> Status:
    """The driver exited; `log` is its whole output or any tail of it."""
    info = {**before.get("rayJobInfo", {}), "endTime": _rfc(at)}
    ending = {**before, "endTime": _rfc(at), "rayJobInfo": info}
    if exit_code == 0:
        message = "Job finished successfully."
        return ending | {
            "jobDeploymentStatus": "Complete",
            "jobStatus": "SUCCEEDED",
            "succeeded": 1,
            "failed": 0,
            "message": message,
        }
    return ending | _failed("AppFailed", _failure_message(exit_code, log), job_status="FAILED")


def not_started(before: Mapping[str, Any], *, message: str, at: datetime) -> Status:
    """The attempt could not be started at all; KubeRay's submitter would have given up."""
    return {**before, "endTime": _rfc(at)} | _failed("SubmissionFailed", message, job_status="")


def lost(before: Mapping[str, Any], *, at: datetime) -> Status:
    """The process that held the attempt is gone, and the attempt with it."""
    message = "The trivium process that ran this attempt ended; nothing of the attempt is running any more."
    return {**before, "endTime": _rfc(at)} | _failed("SubmissionFailed", message, job_status="FAILED")


def _failed(reason: str, message: str, *, job_status: str) -> Status:
    return {
        "jobDeploymentStatus": "Failed",
        "jobStatus": job_status,
        "reason": reason,
        "message": message,
        "succeeded": 0,
        "failed": 1,
    }


def is_terminal(status: Mapping[str, Any]) -> bool:
    """Whether KubeRay would touch this RayJob no more."""
    return status.get("jobDeploymentStatus") in {"Complete", "Failed", "ValidationFailed"}


def ray_cluster(job: Manifest, *, name: str) -> Object:
    """The RayCluster that KubeRay would make of a RayJob, owned by it."""
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayCluster",
        "metadata": {
            "name": name,
            "namespace": job["metadata"]["namespace"],
            "labels": {
                **job["metadata"].get("labels", {}),
                "ray.io/originated-from-cr-name": job["metadata"]["name"],
                "ray.io/originated-from-crd": "RayJob",
            },
            "ownerReferences": [_owner(job)],
        },
        "spec": job["spec"]["rayClusterSpec"],
    }


def head_pod(cluster: Manifest) -> Object:
    """The head pod of a RayCluster, with the labels that KubeRay and the template give it."""
    template = cluster["spec"]["headGroupSpec"]["template"]
    name = cluster["metadata"]["name"]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            # KubeRay cuts the cluster's name at 50; these names end below that.
            "name": f"{name[:50]}-head",
            "namespace": cluster["metadata"]["namespace"],
            "labels": {
                **template.get("metadata", {}).get("labels", {}),
                "ray.io/cluster": name,
                "ray.io/node-type": "head",
                "ray.io/group": "headgroup",
                "ray.io/is-ray-node": "yes",
                "app.kubernetes.io/created-by": "kuberay-operator",
            },
            "ownerReferences": [_owner(cluster)],
        },
        "spec": {**template["spec"], "nodeName": "local"},
    }


def pod_waiting(container: str, *, message: str) -> Status:
    """The kubelet cannot make the container's mounts or environment."""
    waiting = {"reason": "CreateContainerConfigError", "message": message}
    return {
        "phase": "Pending",
        "containerStatuses": [
            {
                "name": container,
                "ready": False,
                "restartCount": 0,
                "state": {"waiting": waiting},
            }
        ],
    }


def pod_running(container: str, *, at: datetime) -> Status:
    """Every container started and ready."""
    return {
        "phase": "Running",
        "startTime": _rfc(at),
        "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": [
            {
                "name": container,
                "ready": True,
                "restartCount": 0,
                "state": {"running": {"startedAt": _rfc(at)}},
            }
        ],
    }


def pod_ended(before: Mapping[str, Any], *, exit_code: int, oom_killed: bool, at: datetime) -> Status:
    """The container ended; a kill for memory by the kernel is told apart from any other SIGKILL."""
    reason = "Completed" if exit_code == 0 else "Error"
    if oom_killed:
        reason, exit_code = "OOMKilled", _KILLED
    terminated = {"exitCode": exit_code, "reason": reason, "finishedAt": _rfc(at)}
    containers = [
        {**container, "ready": False, "state": {"terminated": terminated}}
        for container in before.get("containerStatuses", [])
    ]
    phase = "Succeeded" if exit_code == 0 else "Failed"
    ready = {"type": "Ready", "status": "False", "reason": "PodCompleted"}
    return {**before, "phase": phase, "conditions": [ready], "containerStatuses": containers}


def pod_lost(before: Mapping[str, Any], *, at: datetime) -> Status:
    """The kubelet's words for a pod that ended because its node was shut down: a disruption, nobody's fault."""
    disruption = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "TerminationByKubelet",
        "message": "The trivium process that ran this pod ended.",
        "lastTransitionTime": _rfc(at),
    }
    return {
        **pod_ended(before, exit_code=_KILLED, oom_killed=False, at=at),
        "reason": "Terminated",
        "message": "Pod was terminated in response to imminent node shutdown.",
        "conditions": [disruption],
    }


def _failure_message(exit_code: int, log: str) -> str:
    """Ray's own words (job_supervisor.py of 2.60), whose end is the driver's last line: the trainer's end record."""
    tail = "\n".join(log.splitlines()[-_TAIL_LINES:])[-_TAIL_CHARACTERS:]
    start = f"Job entrypoint command failed with exit code {exit_code}"
    return (
        f"{start}, last available logs (truncated to 20,000 chars):\n{tail}" if tail else f"{start}. No logs available."
    )


def _owner(manifest: Manifest) -> Object:
    return {
        "apiVersion": manifest["apiVersion"],
        "kind": manifest["kind"],
        "name": manifest["metadata"]["name"],
        "uid": manifest["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _rfc(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
