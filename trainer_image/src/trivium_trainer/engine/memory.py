"""Peak memory of each rank, for the report's comparison of plan and measurement."""

import resource
import time

import torch

from trivium_trainer.engine.run import Run
from trivium_trainer.report_data import MemoryLine


def report_memory(run: Run) -> None:
    """One line for each rank. Collective."""
    for rank, peak in enumerate(run.ranks.gather(peak_bytes(on_gpu=run.on_gpu))):
        source = "cuda" if run.on_gpu else "rss"
        run.session.write(MemoryLine(at=time.time(), rank=rank, peak_bytes=peak, source=source))


def peak_bytes(*, on_gpu: bool) -> int:
    """The most memory this process has held: of its GPU, or resident in main memory."""
    if on_gpu:
        return int(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in KiB
