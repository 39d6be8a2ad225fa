"""Conditions of a job: their types and the reasons that tell people and tools why."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
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
    FITS = "Fits"
    DOES_NOT_FIT = "DoesNotFit"
    NO_UPSTREAM = "NoUpstream"
    UPSTREAM_NOT_FOUND = "UpstreamNotFound"
    UPSTREAM_NOT_FINISHED = "UpstreamNotFinished"
    UPSTREAM_FAILED = "UpstreamFailed"
    UPSTREAM_SUCCEEDED = "UpstreamSucceeded"
    NOT_STARTED = "NotStarted"
    QUEUED = "Queued"
    NO_WORKLOAD = "NoWorkload"
    ADMITTED = "Admitted"
    STARTING = "Starting"
    NAME_TAKEN = "NameTaken"
    UNKNOWN_STATE = "UnknownState"
    PREPARING = "Preparing"
    TRAINING = "Training"
    SUSPEND_REQUESTED = "SuspendRequested"
    CHECKPOINTING = "Checkpointing"
    CAPACITY_FREED = "CapacityFreed"
    RESUMED = "Resumed"
    BACKING_OFF = "BackingOff"
    COMPLETE = "Complete"
    FINISHED = "Finished"
    DELETED = "Deleted"


MEANINGS: Mapping[Reason, str] = MappingProxyType(
    {
        Reason.VALID: "The spec keeps every rule.",
        Reason.INVALID_SPEC: "The spec breaks a rule of this version; correct it as the message says.",
        Reason.PROFILE_NOT_FOUND: "There is no such ComputeProfile, or it is not valid; name another, or ask for it.",
        Reason.NO_DEFAULT_PROFILE: "The job names no profile and none is the default; name one.",
        Reason.SEVERAL_DEFAULT_PROFILES: "The job names no profile and several are the default; name one.",
        Reason.NOT_ALLOWED_BY_PROFILE: "The profile lists other queues or priorities, or requires one; choose it.",
        Reason.PROVISIONAL: "Planned before prepare has seen the model and the data; the final plan follows.",
        Reason.FITS: "The plan fits the machines.",
        Reason.DOES_NOT_FIT: "There is no plan that fits; change the job as the message says.",
        Reason.NO_UPSTREAM: "The job starts from no other job.",
        Reason.UPSTREAM_NOT_FOUND: "The job that this one starts from does not exist; create it, this one waits.",
        Reason.UPSTREAM_NOT_FINISHED: "The job that this one starts from is still at work.",
        Reason.UPSTREAM_FAILED: "The job that this one starts from failed; create it again corrected, this one waits.",
        Reason.UPSTREAM_SUCCEEDED: "The output of the job that this one starts from is known; it may be deleted now.",
        Reason.NOT_STARTED: "No attempt has begun, or the next one has not yet.",
        Reason.QUEUED: "The attempt waits for quota and holds nothing.",
        Reason.NO_WORKLOAD: "Nothing admits the RayJob: Kueue has made no Workload for it. See whether Kueue runs.",
        Reason.ADMITTED: "There is quota for the attempt.",
        Reason.STARTING: "Pods are being made, or Ray has not started the driver yet.",
        Reason.NAME_TAKEN: "Another object has the name of the attempt's RayJob; delete or rename that one.",
        Reason.UNKNOWN_STATE: "KubeRay says something that this version does not know; nothing is done about it.",
        Reason.PREPARING: "Model and data are being prepared.",
        Reason.TRAINING: "The trainer's process runs.",
        Reason.SUSPEND_REQUESTED: "The attempt was told to stop.",
        Reason.CHECKPOINTING: "The attempt saves a checkpoint before it stops.",
        Reason.CAPACITY_FREED: "Suspended, with nothing held; set runPolicy.suspend to false to go on.",
        Reason.RESUMED: "An attempt goes on.",
        Reason.BACKING_OFF: "The last attempt failed; the next one begins after a pause.",
        Reason.COMPLETE: "The stage is done, or the job with its last one.",
        Reason.FINISHED: "The job, or its attempt, is over.",
        Reason.DELETED: "The RayJob of an attempt is going away; the next step waits for that.",
    }
)
"""One sentence for people: what is so, and what to do where something is to be done."""


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
