"""How a run ends: failure classes, the exception that carries one, and the record that leaves the process.

Ray puts the tail of the driver's log into the job's message and KubeRay into `RayJob.status.message`, so the record is
the last line of the log: the operator reads it there when no report ever arrived.
"""

import json
from enum import StrEnum
from typing import Any, Literal

from pydantic import Field

from trivium_trainer.config import Block

RECORD_PREFIX = "TRIVIUM-RECORD "


class FailureClass(StrEnum):
    """The classes that a trainer can name by itself; the operator knows more (evictions, image pulls ...)."""

    USER_ERROR = "UserError"
    DATA_ERROR = "DataError"
    OUT_OF_MEMORY = "OutOfMemory"
    DIVERGED = "Diverged"
    HANG = "Hang"
    INFRASTRUCTURE = "Infrastructure"
    PREEMPTED = "Preempted"
    INTERNAL = "Internal"


EXIT_CODES: dict[FailureClass, int] = {
    FailureClass.USER_ERROR: 64,  # sysexits EX_USAGE
    FailureClass.DATA_ERROR: 65,  # EX_DATAERR
    FailureClass.INTERNAL: 70,  # EX_SOFTWARE
    FailureClass.INFRASTRUCTURE: 75,  # EX_TEMPFAIL
    FailureClass.PREEMPTED: 76,
    FailureClass.OUT_OF_MEMORY: 80,
    FailureClass.DIVERGED: 81,
    FailureClass.HANG: 82,
}
STOPPED_EXIT_CODE = 90
"""A stop by command: not a failure, and not success either."""


class Failure(Block):
    """Why a run ended, for the person who reads the job's status."""

    failure_class: FailureClass = Field(alias="class")
    reason: str
    """PascalCase word, stable: `MissingColumn`, `LossIsNaN`, `HubUnreachable` ..."""
    message: str
    """Field, value, rule: one or two sentences without a secret."""
    remedy: str
    """What the user can do about it."""
    rank: int | None = None
    exit_code: int | None = None
    step: int | None = None
    """Diverged only: the optimizer step whose numbers were none, counted from 1."""
    data_step: int | None = None
    """Diverged only: the data step that it trained (see config.SkipWindow)."""


class EndRecord(Block):
    """The last word of a run; written to `<stage>/end.json`, reported, and printed as the last log line."""

    outcome: Literal["complete", "failed", "stopped"]
    stage: str
    step: int = 0
    failure: Failure | None = None
    output_digest: str | None = None
    restarts: int = 0
    """This and the next two as in the final report, which may never arrive: the budget is charged all the same."""
    preemptions: int = 0
    earlier_restarts: int = 0

    def to_log_line(self) -> str:
        """One line of at most 4 KiB, so that it survives KubeRay's cut of the log's tail."""
        payload: dict[str, Any] = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        if self.failure is not None:
            payload["failure"]["message"] = self.failure.message[:1024]
            payload["failure"]["remedy"] = self.failure.remedy[:1024]
        return RECORD_PREFIX + json.dumps(payload, separators=(",", ":"))


class TrainingError(Exception):
    """An error whose class, reason and remedy are known where it is raised. Everything else is Internal."""

    def __init__(self, failure_class: FailureClass, reason: str, message: str, *, remedy: str) -> None:
        super().__init__(failure_class, reason, message, remedy)
        self.failure_class = failure_class
        self.reason = reason
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.reason}: {self.message} {self.remedy}"

    def __reduce__(self) -> tuple[Any, ...]:
        # Ray pickles exceptions by class and args; the keyword-only argument needs a rebuild of its own.
        return _rebuild, (self.failure_class, self.reason, self.message, self.remedy)

    def to_failure(self, *, rank: int | None = None) -> Failure:
        """The same as a value."""
        return Failure(
            failure_class=self.failure_class,
            reason=self.reason,
            message=self.message,
            remedy=self.remedy,
            rank=rank,
            exit_code=EXIT_CODES[self.failure_class],
        )


class DivergedError(TrainingError):
    """A number of the training was none any more. `step`: optimizer step, `data_step`: data step, both from 1."""

    def __init__(self, reason: str, message: str, *, remedy: str, step: int, data_step: int) -> None:
        super().__init__(FailureClass.DIVERGED, reason, message, remedy=remedy)
        self.step = step
        self.data_step = data_step

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild_diverged, (self.reason, self.message, self.remedy, self.step, self.data_step)

    def to_failure(self, *, rank: int | None = None) -> Failure:
        """The same as a value, with where it happened."""
        return super().to_failure(rank=rank).model_copy(update={"step": self.step, "data_step": self.data_step})


class StopRequested(Exception):  # noqa: N818  an order that was obeyed, not an error
    """Raised on every rank once `checkpointAndStop` is done: the newest checkpoint is complete, training ends here."""

    def __init__(self, step: int) -> None:
        super().__init__(step)
        self.step = step

    def __str__(self) -> str:
        return f"stopped by command after step {self.step}, checkpoint complete"


def _rebuild(failure_class: FailureClass, reason: str, message: str, remedy: str) -> TrainingError:
    return TrainingError(failure_class, reason, message, remedy=remedy)


def _rebuild_diverged(reason: str, message: str, remedy: str, step: int, data_step: int) -> DivergedError:
    return DivergedError(reason, message, remedy=remedy, step=step, data_step=data_step)
