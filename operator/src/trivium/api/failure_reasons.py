"""Reasons that the operator itself gives for the end of an attempt: one word for tools, one sentence for people.

A trainer names reasons of its own (LossIsNaN, MissingColumn ...); KubeRay's, Kueue's and the kubelet's are passed on as
they are. What to do about any of them is said by the failure's class and its remedy.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from trivium.api.failure_classes import FailureClass


class FailureReason(StrEnum):
    """Of `status.attempts[].failure.reason`."""

    ACTIVE_DEADLINE_EXCEEDED = "ActiveDeadlineExceeded"
    CREATION_REFUSED = "CreationRefused"
    DOES_NOT_FIT = "DoesNotFit"
    IMAGE_PULL = "ImagePull"
    INSPECTION_MISSING = "InspectionMissing"
    NO_LAST_WORD = "NoLastWord"
    NO_PROGRESS = "NoProgress"
    OOM_KILLED = "OOMKilled"
    POD_CONFIGURATION = "PodConfiguration"
    QUOTA_TAKEN = "QuotaTaken"
    RAY_JOB_DELETED = "RayJobDeleted"
    RAY_JOB_INVALID = "RayJobInvalid"
    RAY_JOB_STOPPED = "RayJobStopped"
    SILENT = "Silent"
    STANDSTILL = "Standstill"
    START_DEADLINE_EXCEEDED = "StartDeadlineExceeded"
    START_TIMEOUT = "StartTimeout"
    STOPPED_UNASKED = "StoppedUnasked"
    UNEXPLAINED = "Unexplained"
    UNSCHEDULABLE = "Unschedulable"
    WORKLOAD_FAILED_TO_START = "WorkloadFailedToStart"
    WORKLOAD_OUT_OF_SYNC = "WorkloadOutOfSync"


REASONS_OF_FAILURES: Mapping[FailureReason, tuple[FailureClass, str]] = MappingProxyType(
    {
        FailureReason.ACTIVE_DEADLINE_EXCEEDED: (
            FailureClass.DEADLINE,
            "All attempts together have run for runPolicy.activeDeadlineSeconds.",
        ),
        FailureReason.CREATION_REFUSED: (
            FailureClass.INFRASTRUCTURE,
            "The API server would not have the attempt's objects: a quota, an admission policy or a missing right.",
        ),
        FailureReason.DOES_NOT_FIT: (
            FailureClass.USER_ERROR,
            "What prepare saw does not fit the machines, and the job can no longer be changed.",
        ),
        FailureReason.IMAGE_PULL: (FailureClass.IMAGE_PULL, "An image could not be pulled for two minutes."),
        FailureReason.INSPECTION_MISSING: (
            FailureClass.INFRASTRUCTURE,
            "The stage prepare is complete and its report never came; the next attempt only reports again.",
        ),
        FailureReason.NO_LAST_WORD: (
            FailureClass.INFRASTRUCTURE,
            "The processes ended, and neither the trainer nor a pod nor KubeRay says why.",
        ),
        FailureReason.NO_PROGRESS: (
            FailureClass.HANG,
            "The trainer reports, but does not move, for twice the time that its watchdog should allow.",
        ),
        FailureReason.OOM_KILLED: (
            FailureClass.OUT_OF_MEMORY,
            "A pod used more of its node's memory than its profile gives it.",
        ),
        FailureReason.POD_CONFIGURATION: (
            FailureClass.USER_ERROR,
            "A container cannot be made: a claim, a Secret or a key that the job names is missing.",
        ),
        FailureReason.QUOTA_TAKEN: (
            FailureClass.PREEMPTED,
            "Kueue took the quota back, for a reason that was not seen; the same RayJob runs again when there is room.",
        ),
        FailureReason.RAY_JOB_DELETED: (FailureClass.INFRASTRUCTURE, "Somebody else deleted the attempt's RayJob."),
        FailureReason.RAY_JOB_INVALID: (
            FailureClass.INTERNAL,
            "KubeRay refuses the RayJob for good; never tried again, for the next one would be the same.",
        ),
        FailureReason.RAY_JOB_STOPPED: (FailureClass.INFRASTRUCTURE, "Somebody stopped the Ray job from outside."),
        FailureReason.SILENT: (
            FailureClass.HANG,
            "No report came for ten times recovery.hangTimeoutSeconds, while the operator listened.",
        ),
        FailureReason.STANDSTILL: (
            FailureClass.INTERNAL,
            "The attempt restarted its workers again and again and reached no new checkpoint.",
        ),
        FailureReason.START_DEADLINE_EXCEEDED: (
            FailureClass.DEADLINE,
            "No attempt ran within runPolicy.startDeadlineSeconds.",
        ),
        FailureReason.START_TIMEOUT: (
            FailureClass.INFRASTRUCTURE,
            "The attempt's pods did not come up within compute.workerStartTimeoutSeconds.",
        ),
        FailureReason.STOPPED_UNASKED: (
            FailureClass.INFRASTRUCTURE,
            "The trainer stopped as if it had been told to, and it was not.",
        ),
        FailureReason.UNEXPLAINED: (FailureClass.INTERNAL, "The trainer says that it failed and not why."),
        FailureReason.UNSCHEDULABLE: (
            FailureClass.UNSCHEDULABLE,
            "No node had room for a pod within compute.workerStartTimeoutSeconds.",
        ),
        FailureReason.WORKLOAD_FAILED_TO_START: (
            FailureClass.INTERNAL,
            "Kueue cannot start the RayJob: its node labels contradict the ResourceFlavor; the next may get another.",
        ),
        FailureReason.WORKLOAD_OUT_OF_SYNC: (
            FailureClass.INTERNAL,
            "Kueue has finished the Workload of a RayJob that never ran, because the two do not agree.",
        ),
    }
)
