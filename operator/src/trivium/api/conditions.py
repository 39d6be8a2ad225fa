"""Conditions of a job: their types and the reasons that tell people and tools why."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from trivium.api.block import StatusBlock, Timestamp


class ConditionType(StrEnum):
    """Succeeded and Failed are final. Running is true while training (no Ready: tools would wait for it forever)."""

    ACCEPTED = "Accepted"
    PLANNED = "Planned"
    UPSTREAM_READY = "UpstreamReady"
    QUOTA_RESERVED = "QuotaReserved"
    RUNNING = "Running"
    SUSPENDED = "Suspended"
    RESTARTING = "Restarting"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


class Reason(StrEnum):
    """Reasons of conditions and events. Failed carries the failure class instead, where there is one."""

    VALID = "Valid"
    INVALID_SPEC = "InvalidSpec"
    PROFILE_NOT_FOUND = "ProfileNotFound"
    NO_DEFAULT_PROFILE = "NoDefaultProfile"
    SEVERAL_DEFAULT_PROFILES = "SeveralDefaultProfiles"
    NOT_ALLOWED_BY_PROFILE = "NotAllowedByProfile"
    PROVISIONAL = "Provisional"
    """Planned before prepare has seen the model and the data."""
    FITS = "Fits"
    DOES_NOT_FIT = "DoesNotFit"
    NO_UPSTREAM = "NoUpstream"
    UPSTREAM_NOT_FOUND = "UpstreamNotFound"
    UPSTREAM_NOT_FINISHED = "UpstreamNotFinished"
    UPSTREAM_FAILED = "UpstreamFailed"
    UPSTREAM_SUCCEEDED = "UpstreamSucceeded"
    NOT_STARTED = "NotStarted"
    QUEUED = "Queued"
    ADMITTED = "Admitted"
    """Out of the queue: there is quota for the attempt."""
    STARTING = "Starting"
    NAME_TAKEN = "NameTaken"
    """Another object has the name of the attempt's RayJob."""
    UNKNOWN_STATE = "UnknownState"
    """KubeRay says something that this version does not know."""
    PREPARING = "Preparing"
    TRAINING = "Training"
    SUSPEND_REQUESTED = "SuspendRequested"
    CHECKPOINTING = "Checkpointing"
    CAPACITY_FREED = "CapacityFreed"
    RESUMED = "Resumed"
    BACKING_OFF = "BackingOff"
    RESTART_BUDGET_SPENT = "RestartBudgetSpent"
    COMPLETE = "Complete"
    FINISHED = "Finished"
    DELETED = "Deleted"


class Condition(StatusBlock):
    """One aspect of a job's state, in Kubernetes' form."""

    type: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Z][A-Za-z]*$")]
    """One of Accepted, Planned, UpstreamReady, QuotaReserved, Running, Suspended, Restarting, Succeeded, Failed."""
    status: Literal["True", "False", "Unknown"]
    """Unknown: it could not be found out."""
    reason: Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z]([A-Za-z0-9]*)$")]
    """One word in PascalCase, stable."""
    message: Annotated[str, Field(max_length=4096)] = ""
    """What happened, what we do now, what you can do."""
    observed_generation: Annotated[int, Field(ge=0)] = 0
    """Generation of the job that this was concluded from."""
    last_transition_time: Timestamp
    """When status last changed."""
