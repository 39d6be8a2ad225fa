"""Real processes: nothing that an attempt started outlives it, whoever dies and however."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from trivium.local import supervisor

pytestmark = pytest.mark.slow

SUPERVISOR = [sys.executable, "-I", "-S", supervisor.__file__]
# A daemon as Ray's are: a session of its own, its parent gone, deaf to SIGTERM.
DAEMON = "setsid sh -c 'trap \"\" TERM; echo $$ >> {pids}; exec sleep 1000' & "


LIVE: list[subprocess.Popen] = []


@pytest.fixture(autouse=True)
def _close_pipes():
    yield
    while LIVE:
        process = LIVE.pop()
        process.stdin.close()
        process.wait(20)


def start(script: str, *, grace: float = 0.2) -> subprocess.Popen:
    process = subprocess.Popen([*SUPERVISOR, str(grace), "/bin/sh", "-c", script], stdin=subprocess.PIPE)
    LIVE.append(process)
    return process


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(condition, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen"
        time.sleep(0.01)


def read_pids(path: Path, count: int) -> list[int]:
    wait_for(lambda: path.exists() and len(path.read_text().split()) == count)
    return [int(word) for word in path.read_text().split()]


@pytest.mark.parametrize(("script", "want"), [("exit 0", 0), ("exit 65", 65), ("kill -KILL $$", 137)])
def test_the_exit_code_is_the_commands(script: str, want: int) -> None:
    assert start(script).wait(20) == want


def test_a_command_that_cannot_be_started_fails() -> None:
    command = [*SUPERVISOR, "0.1", "/nonexistent"]
    assert subprocess.run(command, stderr=subprocess.DEVNULL, timeout=20, check=False).returncode != 0


def test_daemons_end_with_the_command(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    pids.touch()
    process = start((DAEMON * 2).format(pids=pids) + f"while [ $(wc -l < {pids}) -lt 2 ]; do sleep 0.01; done; exit 3")
    daemons = read_pids(pids, 2)
    assert process.wait(20) == 3
    assert not any(is_alive(pid) for pid in daemons)


@pytest.mark.parametrize("how", ["close the pipe", "SIGTERM"])
def test_an_order_to_stop_ends_the_command_and_its_daemons(tmp_path: Path, how: str) -> None:
    pids = tmp_path / "pids"
    process = start(DAEMON.format(pids=pids) + "wait")
    (daemon,) = read_pids(pids, 1)
    if how == "SIGTERM":
        process.send_signal(signal.SIGTERM)
    else:
        process.stdin.close()
    assert process.wait(20) == 143
    assert not is_alive(daemon)


def test_a_driver_that_wants_to_clean_up_has_time_for_it(tmp_path: Path) -> None:
    done, ready = tmp_path / "done", tmp_path / "ready"
    process = start(f"trap 'sleep 0.2; touch {done}; exit 0' TERM; touch {ready}; sleep 1000 & wait", grace=10)
    wait_for(ready.exists)
    process.stdin.close()
    assert process.wait(20) == 0
    assert done.exists()


def test_a_driver_that_will_not_end_is_killed(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    process = start(f"trap '' TERM; touch {ready}; while :; do sleep 0.05; done", grace=0.1)
    wait_for(ready.exists)
    process.stdin.close()
    assert process.wait(20) == 137


def test_a_longer_grace_may_be_ordered_and_ends_with_the_pipe(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    process = start(f"trap '' TERM; touch {ready}; while :; do sleep 0.05; done", grace=0.1)
    wait_for(ready.exists)
    process.stdin.write(b"1000\n")
    process.stdin.flush()
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    process.stdin.close()
    assert process.wait(20) == 137


def test_a_stopped_process_is_ended_too(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    process = start(f"sh -c 'echo $$ >> {pids}; kill -STOP $$' & wait")
    (frozen,) = read_pids(pids, 1)
    process.stdin.close()
    process.wait(20)
    assert not is_alive(frozen)


def test_nothing_outlives_a_parent_that_is_killed(tmp_path: Path) -> None:
    """The parent is the one that holds the pipe, as `trivium run` does; SIGKILL leaves it no last word."""
    pids = tmp_path / "pids"
    script = DAEMON.format(pids=pids) + f"echo $$ >> {pids}; wait"
    parent_program = (
        "import subprocess, sys, time;"
        f"p = subprocess.Popen({[*SUPERVISOR, '0.2', '/bin/sh', '-c', script]!r},"
        " stdin=subprocess.PIPE, start_new_session=True);"
        "time.sleep(1000)"
    )
    parent = subprocess.Popen([sys.executable, "-c", parent_program])
    below = read_pids(pids, 2)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    wait_for(lambda: not any(is_alive(pid) for pid in below))


def test_a_killed_supervisor_takes_the_command_along(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    process = start(f"echo $$ >> {pids}; exec sleep 1000")
    (command,) = read_pids(pids, 1)
    process.kill()
    process.wait()
    wait_for(lambda: not is_alive(command))
