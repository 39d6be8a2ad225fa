"""`trivium run` from the command to the first step that the report's data records; then the job is deleted."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.comparison import Figures
from benchmarks.supervised import SideFailedError, supervised, tail

_LIMIT_SECONDS = 600.0
_GRACE_SECONDS = 60  # for `trivium run` to end its attempt in order
_POLL_SECONDS = 0.1


def start_trivium(manifest: Path, *, claims: Mapping[str, Path], state: Path, address: str) -> Figures:
    """Seconds from the command to the end of the first step, and to the end of stage prepare. Raises SideFailedError.

    `starts` is more than one where an attempt failed on the way: such a time says nothing.
    """
    state.mkdir(parents=True, exist_ok=True)
    bound = [argument for name, folder in claims.items() for argument in ("--claim", f"{name}={folder}")]
    log = state.parent / "trivium-run.log"
    began = time.time()
    command = [*_trivium("run", state), str(manifest), "--output", "json", *bound]
    with supervised(command, environment=_environment(), log=log, grace_seconds=_GRACE_SECONDS) as process:
        stage, step = _first_step(state, process, log)
    figures = {
        "seconds": step["at"] - began,
        "prepareSeconds": (stage.parent / "prepare" / "end.json").stat().st_mtime - began,
        "firstLoss": step["loss"],
        "starts": len((stage / "ledger.jsonl").read_text().splitlines()),
    }
    subprocess.run([*_trivium("delete", state), address, "--purge"], check=True, capture_output=True)
    return figures


def _trivium(command: str, state: Path) -> list[str]:
    return [sys.executable, "-m", "trivium", command, "--state", str(state)]


def _environment() -> dict[str, str]:
    return {**os.environ, "HF_HUB_OFFLINE": "1"}


def _first_step(state: Path, process: subprocess.Popen[bytes], log: Path) -> tuple[Path, dict[str, Any]]:
    """The folder of stage train and the line of its first step."""
    deadline = time.monotonic() + _LIMIT_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        for data in state.glob("claims/*/runs/*/*/*/*/train/report/data.jsonl"):
            # The last line may be half written.
            for line in data.read_text().split("\n")[:-1]:
                found = json.loads(line)
                if found["kind"] == "step":
                    return data.parent.parent, found
        time.sleep(_POLL_SECONDS)
    raise SideFailedError(f"trivium run came to no first step (exit code {process.poll()}):\n{tail(log)}")
