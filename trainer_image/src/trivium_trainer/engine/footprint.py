"""What this process holds in memory: read from the kernel or from CUDA, in bytes."""

import resource
from pathlib import Path

import torch

STATUS = Path("/proc/self/status")


def peak_bytes(*, on_gpu: bool) -> int:
    """The most memory this process has held: of its GPU, or resident in main memory."""
    if on_gpu:
        return int(torch.cuda.max_memory_allocated())
    # getrusage would do, but its value survives exec: a process that a large one has started begins with its peak.
    return _status("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def baseline_bytes(*, on_gpu: bool) -> int:
    """What this process holds before there is a model: the libraries; nothing on a GPU. 0 where no /proc says it."""
    return 0 if on_gpu else _status("VmRSS") or 0


def _status(name: str) -> int | None:
    """A figure of /proc/self/status, which is in KiB; None where there is none (not Linux)."""
    lines = STATUS.read_text().splitlines() if STATUS.is_file() else []
    found = (line.split()[1] for line in lines if line.startswith(f"{name}:"))
    return next((int(kibibytes) * 1024 for kibibytes in found), None)
