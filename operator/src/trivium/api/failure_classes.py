"""Failure classes: whether each is retried, what it costs, how long the pause is, what changes next, and what to do."""

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


class Pause(StrEnum):
    """How long the next attempt waits. Every pause is shortened by up to a fifth, differently for each attempt."""

    NEVER = "none, for there is no next attempt"
    BACKOFF = (
        "recovery.backoff: initialSeconds, doubled with each restart of the budget that is spent, up to maxSeconds"
    )
    FREE = "none; after a second free failure in a row recovery.backoff.initialSeconds"


@dataclass(frozen=True, slots=True, kw_only=True)
class FailurePolicy:
    """What a class means for the next attempt."""

    retried: bool
    counted: bool
    """Whether it costs one of recovery.maxRestarts."""
    remedy: str
    next_attempt: str
    """What is different in it."""
    needs_change: bool = False
    """Whether the same again would fail again: retried only while `next_attempt` can change something."""

    @property
    def pause(self) -> Pause:
        """The pause before the next attempt."""
        if not self.retried:
            return Pause.NEVER
        return Pause.BACKOFF if self.counted else Pause.FREE


def _final(remedy: str) -> FailurePolicy:
    nothing = "There is none: the same job would fail again."
    return FailurePolicy(retried=False, counted=False, next_attempt=nothing, remedy=remedy)


FAILURE_POLICIES: Mapping[FailureClass, FailurePolicy] = MappingProxyType(
    {
        FailureClass.USER_ERROR: _final("Correct the job as the message says and create it again."),
        FailureClass.DATA_ERROR: _final("Correct the data as the message says, or set data.onBadRecord to skip."),
        FailureClass.OUT_OF_MEMORY: FailurePolicy(
            retried=True,
            counted=True,
            needs_change=True,
            next_attempt="Half the micro-batch and more accumulation: the same globalBatchSize.",
            remedy="Lower optimization.microBatchSize or data.maxLength, or raise parallelism.zeroStage or workers.",
        ),
        FailureClass.DIVERGED: FailurePolicy(
            retried=True,
            counted=True,
            needs_change=True,
            next_attempt="The checkpoint before the last one, and the batches up to the bad one left out.",
            remedy="Lower optimization.learningRate, raise warmupFraction, or look for bad rows in the data.",
        ),
        FailureClass.HANG: FailurePolicy(
            retried=True,
            counted=True,
            next_attempt="The same again, away from the node that failed, if one is named.",
            remedy="Read the stacks in the log; if steps are only slow, raise recovery.hangTimeoutSeconds.",
        ),
        FailureClass.INFRASTRUCTURE: FailurePolicy(
            retried=True,
            counted=True,
            next_attempt="The same again, away from the node that failed, if one is named.",
            remedy="Look at the node named in the attempt; if it repeats, tell the platform team.",
        ),
        FailureClass.PREEMPTED: FailurePolicy(
            retried=True,
            counted=False,
            next_attempt="The same again, with all workers.",
            remedy="Nothing: the job goes on from its checkpoint when there is room.",
        ),
        FailureClass.IMAGE_PULL: _final(
            "Ask the platform team to correct the image or the pull secret of the profile."
        ),
        FailureClass.UNSCHEDULABLE: FailurePolicy(
            retried=True,
            counted=False,
            needs_change=True,
            next_attempt="Fewer workers, down to compute.minWorkers; then all of them, on excluded nodes too.",
            remedy="Set compute.minWorkers, ask for fewer workers or another profile, or raise "
            "compute.workerStartTimeoutSeconds.",
        ),
        FailureClass.DEADLINE: _final(
            "Raise runPolicy.activeDeadlineSeconds and create the job again with storage.continueFrom."
        ),
        FailureClass.INTERNAL: FailurePolicy(
            retried=True,
            counted=True,
            next_attempt="The same again.",
            remedy="Report it with the log's last lines: an error that we did not foresee.",
        ),
    }
)
