"""Cases on one, two or four processes: starts the ranks, waits, collects their reports."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.memory.case import Case

TIMEOUT_SECONDS = 900
ROOT = Path(__file__).parents[2]


def measure(cases: Sequence[Case]) -> list[list[dict[str, Any]]]:
    """reports[case][rank]. All cases have one world size; they run one after another in one group."""
    (world_size,) = {case.world_size for case in cases}
    with tempfile.TemporaryDirectory(prefix="memory-") as name:
        folder = Path(name)
        (folder / "cases.json").write_text(json.dumps([case.to_json() for case in cases]))
        environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"}
        ranks = [
            subprocess.Popen(
                [sys.executable, "-m", "benchmarks.memory.rank", str(folder), str(rank), str(world_size)],
                cwd=ROOT,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for rank in range(world_size)
        ]
        try:
            outputs = [process.communicate(timeout=TIMEOUT_SECONDS)[0] for process in ranks]
        finally:
            for process in ranks:
                process.kill()
        for process, output in zip(ranks, outputs, strict=True):
            if process.returncode != 0:
                raise RuntimeError(f"a rank ended with {process.returncode}:\n{output[-4000:]}")
        reports = [json.loads((folder / f"reports-{rank}.json").read_text()) for rank in range(world_size)]
    return [list(of_case) for of_case in zip(*reports, strict=True)]
