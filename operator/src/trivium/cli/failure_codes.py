"""The exit code of each failure class."""

from trivium.api.failure_classes import FailureClass
from trivium.cli.exit_codes import ExitCode

_BY_CLASS = {
    FailureClass.USER_ERROR: ExitCode.USER_ERROR,
    FailureClass.DATA_ERROR: ExitCode.DATA_ERROR,
    FailureClass.OUT_OF_MEMORY: ExitCode.OUT_OF_MEMORY,
    FailureClass.DIVERGED: ExitCode.DIVERGED,
    FailureClass.HANG: ExitCode.HANG,
    FailureClass.INFRASTRUCTURE: ExitCode.INFRASTRUCTURE,
    FailureClass.PREEMPTED: ExitCode.PREEMPTED,
    FailureClass.IMAGE_PULL: ExitCode.IMAGE_PULL,
    FailureClass.UNSCHEDULABLE: ExitCode.UNSCHEDULABLE,
    FailureClass.DEADLINE: ExitCode.DEADLINE,
    FailureClass.INTERNAL: ExitCode.INTERNAL,
}


def exit_code_of(failure_class: str) -> ExitCode:
    """The code of a failure class; a class that this version does not know is an internal failure."""
    try:
        return _BY_CLASS[FailureClass(failure_class)]
    except ValueError:
        return ExitCode.INTERNAL
