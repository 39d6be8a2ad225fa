"""What the exit code of a driver means that ended without a last word: the only thing left of some processes."""

import re
from collections.abc import Mapping
from types import MappingProxyType

from trivium.api.failure_classes import FailureClass

CLASS_OF_EXIT_CODE: Mapping[int, tuple[FailureClass, str]] = MappingProxyType(
    {
        1: (FailureClass.INTERNAL, "UncaughtError"),  # Python's own: an error that the driver did not classify
        # The trainer's own codes (trivium_trainer.failure.EXIT_CODES; a contract test holds them together).
        64: (FailureClass.USER_ERROR, "ExitUserError"),
        65: (FailureClass.DATA_ERROR, "ExitDataError"),
        70: (FailureClass.INTERNAL, "ExitInternal"),
        75: (FailureClass.INFRASTRUCTURE, "ExitInfrastructure"),
        76: (FailureClass.PREEMPTED, "ExitPreempted"),
        80: (FailureClass.OUT_OF_MEMORY, "ExitOutOfMemory"),
        81: (FailureClass.DIVERGED, "ExitDiverged"),
        82: (FailureClass.HANG, "ExitHang"),
        # 128 + the signal's number, as shells and the kubelet write it.
        132: (FailureClass.INTERNAL, "IllegalInstruction"),  # an image built for another processor
        134: (FailureClass.INTERNAL, "Aborted"),
        135: (FailureClass.INFRASTRUCTURE, "BusError"),  # memory or a mapped file that went away
        137: (FailureClass.INFRASTRUCTURE, "Killed"),  # SIGKILL that the kubelet did not explain
        139: (FailureClass.INTERNAL, "SegmentationFault"),
        143: (FailureClass.INFRASTRUCTURE, "Terminated"),
    }
)
_RAYS_WORDS = re.compile(r"Job entrypoint command failed with exit code (\d{1,3})\b")
"""Ray's job supervisor (2.60), which KubeRay copies into RayJob.status.message."""


def classify_exit_code(code: int) -> tuple[FailureClass, str]:
    """Class and reason of any non-zero exit code."""
    return CLASS_OF_EXIT_CODE.get(code, (FailureClass.INFRASTRUCTURE, "UnknownExitCode"))


def exit_code_in(message: str) -> int | None:
    """The driver's exit code in a RayJob's message; None where Ray does not say one, or says zero."""
    found = _RAYS_WORDS.search(message)
    return int(found[1]) or None if found is not None else None
