"""Starts a side in a process of its own, with the same environment for all, and reads what it measured."""

import json
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.comparison import Figures, Settings
from benchmarks.supervised import SideFailedError, supervised, tail
from trivium_trainer.config import LIBRARY_SETTINGS


def run_side(name: str, task: Mapping[str, Any], *, folder: Path, settings: Settings) -> Figures:
    """Run `benchmarks.sides.<name>` with a task to its end. Raises SideFailedError."""
    folder.mkdir(parents=True, exist_ok=True)
    result, log, path = folder / "result.json", folder / "output.log", folder / "task.json"
    result.unlink(missing_ok=True)
    path.write_text(json.dumps({**task, "result": str(result), "warmup": settings.warmup, "steps": settings.steps}))
    command = [sys.executable, "-m", f"benchmarks.sides.{name}", str(path)]
    with supervised(command, environment=environment(settings.threads), log=log) as process:
        code = process.wait()
    if code != 0 or not result.exists():
        raise SideFailedError(f"side {name} ended with exit code {code}:\n{tail(log)}")
    figures: Figures = json.loads(result.read_text())
    return figures


def environment(threads: int) -> dict[str, str]:
    """One rank of one, offline, with so many threads for torch; the trainer's own settings for every side."""
    return {
        **os.environ,
        **LIBRARY_SETTINGS,
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "DS_ACCELERATOR": "cpu",
        "HF_HUB_OFFLINE": "1",
        "RANK": "0",
        "LOCAL_RANK": "0",
        "WORLD_SIZE": "1",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
    }


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])
