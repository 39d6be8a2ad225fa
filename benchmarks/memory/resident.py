"""Resident memory of one process above what it had before the model, with an allocator that gives memory back.

glibc keeps what was freed; with one arena and every block above 64 KiB in a mapping of its own, resident memory follows
the tensors. `python -m benchmarks.memory.resident CASE` prints the peak in bytes; MALLOC must be in the environment.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.memory.case import Case

MALLOC = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
ROOT = Path(__file__).parents[2]


def measure(case: Case) -> dict[str, Any]:
    """In a process of its own: allocators read their settings when they start."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory.resident", json.dumps(case.to_json())],
        cwd=ROOT,
        env=os.environ | MALLOC | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    return {"resident": {"peak": int(done.stdout.split()[-1]), "parts": {}}}


def main() -> None:
    case = Case.from_json(json.loads(sys.argv[1]))
    os.environ["DS_ACCELERATOR"] = "cpu"
    import torch
    import torch.distributed as dist

    from benchmarks.memory import rank
    from trivium_trainer.engine.ranks import join
    from trivium_trainer.engine.reference import answer_log_probs

    with tempfile.TemporaryDirectory() as folder:
        store = dist.FileStore(f"{folder}/store", 1)
        dist.init_process_group("gloo", store=store, rank=0, world_size=1)
        join(rank=0, world_size=1, local_rank=0, on_gpu=False)
        # Kernels are compiled and libraries loaded at first use: a tiny model does that before the baseline is taken.
        torch.set_num_threads(1)
        warm = Case.from_json(case.to_json() | {"max_length": 8, "micro_batch": 1})
        rank.train(warm, *rank.build(warm), answer_log_probs)
        rank.collect()
        baseline = status("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts anew
        rank.train(case, *rank.build(case), answer_log_probs)
        print(status("VmHWM") - baseline)
        dist.destroy_process_group()


def status(field: str) -> int:
    """A field of /proc/self/status. Units: bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise KeyError(field)


if __name__ == "__main__":
    main()
