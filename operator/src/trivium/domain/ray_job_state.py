"""The only reader of KubeRay's state strings. Everything else in Trivium knows `AttemptState`.

KubeRay 1.6-1.7 types its enums as plain strings, so an unknown value is Unknown, never success.
Source: ray-operator/apis/ray/v1/rayjob_types.go; the traps are in the comments where they bite.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class AttemptState(StrEnum):
    """What the processes of one attempt are doing."""

    ABSENT = "Absent"
    """No RayJob: not yet created, or gone."""
    QUEUED = "Queued"
    """Suspended: it waits for quota."""
    STARTING = "Starting"
    """Pods are being made, or Ray has not started the driver yet."""
    RUNNING = "Running"
    """The driver runs."""
    SUCCEEDED = "Succeeded"
    """The driver exited 0, so the stage is complete."""
    FAILED = "Failed"
    """The driver exited non-zero, or KubeRay gave up."""
    STOPPED = "Stopped"
    """Somebody stopped the Ray job: over, and not a success."""
    TERMINATING = "Terminating"
    """Being deleted before it had ended."""
    INVALID = "Invalid"
    """KubeRay refuses the RayJob for good (ValidationFailed)."""
    UNKNOWN = "Unknown"
    """A state that this version does not know; wait."""


ENDED = frozenset({AttemptState.SUCCEEDED, AttemptState.FAILED, AttemptState.STOPPED, AttemptState.INVALID})
"""States that do not change by themselves any more."""

# (jobDeploymentStatus, jobStatus); "*" stands for any jobStatus that has no row of its own.
_STATES = {
    ("Initializing", "*"): AttemptState.STARTING,
    ("Running", ""): AttemptState.STARTING,
    ("Running", "PENDING"): AttemptState.STARTING,
    ("Running", "RUNNING"): AttemptState.RUNNING,
    # The Ray job is over and KubeRay waits up to 300 s for its submitter.
    ("Running", "STOPPED"): AttemptState.RUNNING,
    ("Running", "SUCCEEDED"): AttemptState.RUNNING,
    ("Running", "FAILED"): AttemptState.RUNNING,
    ("Suspending", "*"): AttemptState.QUEUED,
    ("Suspended", "*"): AttemptState.QUEUED,
    # Only FAILED maps to the deployment status Failed, so a stopped job ends as Complete.
    ("Complete", "SUCCEEDED"): AttemptState.SUCCEEDED,
    ("Complete", "STOPPED"): AttemptState.STOPPED,
    ("Complete", "FAILED"): AttemptState.FAILED,
    # JobDeploymentStatusTransitionGracePeriodExceeded also lands on jobs that had succeeded: go by jobStatus.
    ("Failed", "SUCCEEDED"): AttemptState.SUCCEEDED,
    ("Failed", "STOPPED"): AttemptState.STOPPED,
    ("Failed", "*"): AttemptState.FAILED,
    ("ValidationFailed", "*"): AttemptState.INVALID,
    # Retrying needs a backoffLimit and Waiting needs InteractiveMode: we render neither, so both are Unknown.
}


def read_ray_job_state(ray_job: Mapping[str, Any]) -> AttemptState:
    """The state of a live RayJob manifest."""
    status = ray_job.get("status") or {}
    state = _read_status(
        str(status.get("jobDeploymentStatus") or ""),
        str(status.get("jobStatus") or ""),
        suspended=bool((ray_job.get("spec") or {}).get("suspend")),
    )
    if state not in ENDED and (ray_job.get("metadata") or {}).get("deletionTimestamp"):
        return AttemptState.TERMINATING
    return state


def _read_status(deployment_status: str, job_status: str, *, suspended: bool) -> AttemptState:
    if deployment_status == "":
        # A RayJob that is born suspended waits here, and not in Suspended, until KubeRay has seen it.
        return AttemptState.QUEUED if suspended else AttemptState.STARTING
    if deployment_status == "Initializing" and suspended:
        return AttemptState.QUEUED  # KubeRay begins even with what is born suspended, and takes it back at once
    exact = _STATES.get((deployment_status, job_status))
    return exact or _STATES.get((deployment_status, "*"), AttemptState.UNKNOWN)
