"""One driver under its supervisor: start, wait, stop. No process of it outlives this process, however that ends."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from trivium.local import supervisor

GRACE_SECONDS = 3  # what KubeRay's deletion of a RayCluster leaves the driver (facts: its pods' preStop hook aside)
_SUPERVISOR_SECONDS = 10  # SIGTERM, SIGKILL and the reaping of a loaded machine


class DriverProcess:
    """A running entrypoint."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, entrypoint: str, *, environment: Mapping[str, str], folder: Path, log: Path) -> Self:
        """Run a shell line, as Ray's job supervisor does; output is appended to `log`."""
        command = [sys.executable, "-I", "-S", supervisor.__file__, str(GRACE_SECONDS), "/bin/sh", "-c", entrypoint]
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *command,
                # The supervisor ends its tree when this pipe closes; the kernel closes it if we are killed.
                stdin=asyncio.subprocess.PIPE,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                cwd=folder,
                env=dict(environment),
                start_new_session=True,  # Ctrl-C in the terminal is for us: we end the driver in order
            )
        return cls(process)

    async def wait(self) -> int:
        """Exit code of the entrypoint, 128 + signal for one that was killed; its descendants are gone by then."""
        code = await self._process.wait()
        return code if code >= 0 else 128 - code

    async def stop(self, *, grace_seconds: float) -> int:
        """End the driver and everything below it; returns when all of it is gone."""
        assert self._process.stdin is not None, "started with a pipe"
        self._process.stdin.write(f"{grace_seconds}\n".encode())
        try:
            return await asyncio.wait_for(self.wait(), grace_seconds + _SUPERVISOR_SECONDS)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGKILL)
            return await self.wait()

    def hurry(self) -> None:
        """Let a stop that was begun wait no longer."""
        if self._process.stdin is not None:
            self._process.stdin.close()
