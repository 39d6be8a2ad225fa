"""Runs one command and leaves no process behind: `python -I -S supervisor.py GRACE_SECONDS COMMAND [ARGUMENT...]`.

Started by the runner for every attempt, with a pipe as its standard input: a line with a number ends the command with
that many seconds of grace, the pipe's end ends it with GRACE_SECONDS. It is a child subreaper: a descendant whose
parent dies becomes its child, so nothing that the command started can slip away, daemons of Ray included. It ends the
whole tree when the command ends, on SIGTERM, and when the pipe closes, which is also what the kernel does when the
runner is killed by SIGKILL. Exit code: the command's, or 128 + signal. Standard library only: it must start at once
and never fail. Linux only (prctl, /proc).
"""

import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_DAEMON_GRACE_SECONDS = 2.0  # for what the command left running: Ray's daemons end within a second of SIGTERM
_POLL_SECONDS = 0.02


def main(arguments: list[str]) -> int:
    """Run the command to its end, or to ours."""
    grace_seconds, command = float(arguments[0]), arguments[1:]
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)  # only to be woken
    # The command gets SIGKILL if this process is killed itself; its children then follow Ray's own fate sharing.
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        preexec_fn=lambda: _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL),  # noqa: PLW1509 - this process has one thread
    )
    grace = _wait(process.pid, wake_read, grace_seconds)
    if grace is not None:
        _terminate([process.pid])
        _wait_until_gone(process.pid, grace, while_parent_lives=grace > grace_seconds)
    _end_descendants()
    return _exit_code(process)


_statuses: dict[int, int] = {}
"""Wait statuses of reaped children: only this process may reap them, and it does so from several places."""


def _wait(pid: int, wake: int, grace_seconds: float) -> float | None:
    """Wait for the command's end (None) or for the order to end it (seconds of grace)."""
    parent = sys.stdin.fileno()
    while True:
        _reap()
        if pid in _statuses:
            return None
        readable, _, _ = select.select([parent, wake], [], [])
        if parent in readable:
            line = os.read(parent, 4096).strip()
            return float(line) if line else grace_seconds
        if wake in readable and set(os.read(wake, 4096)) & {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}:
            return grace_seconds


def _end_descendants() -> None:
    """SIGTERM to all that is left, then SIGKILL until none is: a process may fork while it dies."""
    _terminate(_descendants())
    deadline = time.monotonic() + _DAEMON_GRACE_SECONDS
    while time.monotonic() < deadline:
        _reap()
        if not _descendants():
            return
        time.sleep(_POLL_SECONDS)
    while left := _descendants():
        for pid in left:
            _signal(pid, signal.SIGKILL)
        time.sleep(_POLL_SECONDS)
        _reap()


def _wait_until_gone(pid: int, seconds: float, *, while_parent_lives: bool) -> None:
    """Wait for the command's end; a long grace ends with the pipe."""
    parent = sys.stdin.fileno()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        _reap()
        if pid in _statuses:
            return
        if while_parent_lives and select.select([parent], [], [], 0)[0] and not os.read(parent, 4096):
            return
        time.sleep(_POLL_SECONDS)


def _terminate(pids: Iterable[int]) -> None:
    for pid in pids:
        _signal(pid, signal.SIGTERM)
        _signal(pid, signal.SIGCONT)  # a stopped process takes no SIGTERM


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _reap() -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        _statuses[pid] = status


def _descendants() -> list[int]:
    """Every living process below this one, by /proc; zombies are left out."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                # `pid (name) state ppid ...`; the name may hold spaces and parentheses.
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            except (FileNotFoundError, ProcessLookupError):
                continue
            if state != "Z":
                parents[int(entry.name)] = int(parent)
    found: list[int] = []
    generation = {os.getpid()}
    while generation:
        generation = {pid for pid, parent in parents.items() if parent in generation}
        found.extend(generation)
    return found


def _exit_code(process: subprocess.Popen[bytes]) -> int:
    code = os.waitstatus_to_exitcode(_statuses[process.pid])
    process.returncode = code  # reaped here: Popen must not look for it again
    return code if code >= 0 else 128 - code


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl failed")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
