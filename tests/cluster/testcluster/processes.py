"""Child processes that never outlive us."""

import ctypes
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


class StartError(Exception):
    """A part of the cluster did not come up; the message ends with the tail of its log."""


def _die_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """One program with its log; the kernel kills it when this process ends, however it ends."""

    def __init__(self, name: str, command: Sequence[str | Path], *, folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._command = [str(word) for word in command]
        self._running: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process' id; the process must run."""
        assert self._running is not None, f"{self.name} was not started"
        return self._running.pid

    def start(self) -> None:
        """Start it; its output is appended to `log`."""
        with self.log.open("ab") as log:
            # preexec_fn: tests start this from one thread, and the kernel offers no other way to ask for the signal.
            self._running = subprocess.Popen(
                self._command,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - see above
            )

    def wait_until(self, ready: Callable[[], bool], *, seconds: float = 60) -> None:
        """Return when `ready` says so. Raises StartError if the process ends before, or the time is up."""
        deadline = time.monotonic() + seconds
        while not ready():
            ended = self._running is None or self._running.poll() is not None
            if ended or time.monotonic() > deadline:
                what = "ended" if ended else f"is not ready after {seconds:.0f} s"
                raise StartError(f"{self.name} {what}. Its log ends:\n{self._tail()}")
            time.sleep(0.05)

    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._running is not None and self._running.poll() is None

    def end(self, number: signal.Signals, *, seconds: float = 30) -> int:
        """Send a signal; the exit code. Raises subprocess.TimeoutExpired."""
        assert self._running is not None, f"{self.name} was not started"
        self._running.send_signal(number)
        return self._running.wait(seconds)

    def kill(self) -> None:
        """SIGKILL; returns when the process is gone. Graceful stops of the API server wait a minute for watches."""
        if self._running is not None:
            self._running.kill()
            self._running.wait()
            self._running = None

    def _tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])
