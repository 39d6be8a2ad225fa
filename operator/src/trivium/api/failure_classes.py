"""Failure classes: whether each is retried, whether it costs a restart of the budget, and what to do about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class FailureClass(StrEnum):
    """Why an attempt ended."""

    USER_ERROR = "UserError"
    DATA_ERROR = "DataError"
    OUT_OF_MEMORY = "OutOfMemory"
    DIVERGED = "Diverged"
    HANG = "Hang"
    INFRASTRUCTURE = "Infrastructure"
    PREEMPTED = "Preempted"
    IMAGE_PULL = "ImagePull"
    UNSCHEDULABLE = "Unschedulable"
    DEADLINE = "Deadline"
    INTERNAL = "Internal"


@dataclass(frozen=True, slots=True, kw_only=True)
class FailurePolicy:
    """What a class means for the next attempt."""

    retried: bool
    counted: bool
    """Whether it costs one of recovery.maxRestarts."""
    remedy: str


_RETRY = {"retried": True, "counted": True}
_FINAL = {"retried": False, "counted": False}
FAILURE_POLICIES: Mapping[FailureClass, FailurePolicy] = MappingProxyType(
    {
        FailureClass.USER_ERROR: FailurePolicy(
            **_FINAL, remedy="Correct the job as the message says and create it again."
        ),
        FailureClass.DATA_ERROR: FailurePolicy(
            **_FINAL, remedy="Correct the data as the message says, or set data.onBadRecord to skip."
        ),
        FailureClass.OUT_OF_MEMORY: FailurePolicy(
            **_RETRY,
            remedy="Lower optimization.microBatchSize or data.maxLength, or raise parallelism.zeroStage or workers.",
        ),
        FailureClass.DIVERGED: FailurePolicy(
            **_FINAL, remedy="Lower optimization.learningRate, raise warmupFraction, or look for bad rows in the data."
        ),
        FailureClass.HANG: FailurePolicy(
            **_RETRY,
            remedy="Read the stacks in the log; if steps are only slow, raise recovery.hangTimeoutSeconds.",
        ),
        FailureClass.INFRASTRUCTURE: FailurePolicy(
            **_RETRY, remedy="Look at the node named in the attempt; if it repeats, tell the platform team."
        ),
        FailureClass.PREEMPTED: FailurePolicy(
            retried=True, counted=False, remedy="Nothing: the job goes on from its checkpoint when there is room."
        ),
        FailureClass.IMAGE_PULL: FailurePolicy(
            **_FINAL, remedy="Ask the platform team to correct the image or the pull secret of the profile."
        ),
        FailureClass.UNSCHEDULABLE: FailurePolicy(
            **_FINAL, remedy="Ask for fewer workers or another profile, or raise compute.workerStartTimeoutSeconds."
        ),
        FailureClass.DEADLINE: FailurePolicy(
            **_FINAL, remedy="Raise runPolicy.activeDeadlineSeconds and create the job again with storage.continueFrom."
        ),
        FailureClass.INTERNAL: FailurePolicy(
            **_RETRY, remedy="Report it with the log's last lines: an error that we did not foresee."
        ),
    }
)
