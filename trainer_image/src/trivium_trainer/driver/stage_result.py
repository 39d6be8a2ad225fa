"""How the work of a stage ended, before anything is written of it."""

from dataclasses import dataclass
from typing import Literal

from trivium_trainer.failure import Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class StageResult:
    """The work is done, or stopped where it was told to stop."""

    outcome: Literal["complete", "stopped"]
    step: int


class StageFailedError(Exception):
    """Carries the failure that ended the work."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure
