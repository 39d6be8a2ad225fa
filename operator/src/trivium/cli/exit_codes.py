"""Exit codes: one for each way in which a command can end, the same numbers as the trainer's where both have one.

A shell script or a CI job decides by them; docs/reference/exit-codes.md holds this table.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended. 0 = everything succeeded."""

    UNEXPECTED = 1
    """An error that nobody foresaw."""
    USAGE = 2
    """Wrong arguments; click's own number."""
    INVALID = 3
    """A manifest is invalid, or a change is not allowed any more."""
    NOT_FOUND = 4
    """No such file, job or report."""
    NO_ACCESS = 5
    """There is no way to the cluster, or it does not let you do that."""
    TIMED_OUT = 6
    """--wait or --timeout: it has not happened in time; it may still."""
    USER_ERROR = 64  # sysexits EX_USAGE, as in trivium_trainer.failure
    DATA_ERROR = 65
    INTERNAL = 70
    INFRASTRUCTURE = 75
    PREEMPTED = 76
    IMAGE_PULL = 77
    UNSCHEDULABLE = 78
    DEADLINE = 79
    OUT_OF_MEMORY = 80
    DIVERGED = 81
    HANG = 82
    SUSPENDED = 90
    """Jobs are suspended: nothing failed, and not everything is done."""
    INTERRUPTED = 130
    """Ctrl-C; everything can be continued."""
