"""A command whose whole tree of processes ends with the block that uses it, or with this process, however that ends."""

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from trivium.local import supervisor

_LOG_LINES = 30


class SideFailedError(Exception):
    """A side ended without figures; the message holds the end of its output."""


@contextmanager
def supervised(
    command: Sequence[str], *, environment: Mapping[str, str], log: Path, grace_seconds: int = 3
) -> Iterator[subprocess.Popen[bytes]]:
    """Start it; at the end of the block SIGTERM, and SIGKILL after the grace. Output goes to `log`."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", supervisor.__file__, str(grace_seconds), *command],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=Path(__file__).parent.parent,
            env=dict(environment),
            start_new_session=True,
        )
    try:
        yield process
    finally:
        assert process.stdin is not None  # a pipe, see above; the supervisor ends the tree when it closes
        process.stdin.close()
        process.wait()


def tail(log: Path) -> str:
    """The end of a side's output."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-_LOG_LINES:])
