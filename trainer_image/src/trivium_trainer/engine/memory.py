"""Peak memory of each rank, for the comparison of plan and measurement."""

import time

from trivium_trainer.engine.footprint import peak_bytes
from trivium_trainer.engine.run import Run
from trivium_trainer.report_data import MemoryLine


def report_memory(run: Run) -> None:
    """One line for each rank. Collective."""
    measured = run.ranks.gather((peak_bytes(on_gpu=run.on_gpu), run.baseline_bytes))
    source = "cuda" if run.on_gpu else "rss"
    for rank, (peak, baseline) in enumerate(measured):
        line = MemoryLine(at=time.time(), rank=rank, peak_bytes=peak, baseline_bytes=baseline, source=source)
        run.session.write(line)


def report_peak(run: Run) -> None:
    """The most that any rank has held, to the next progress report. Collective."""
    peaks = run.ranks.gather(max(0, peak_bytes(on_gpu=run.on_gpu) - run.baseline_bytes))
    run.session.progress(memory_bytes=max(peaks))
