"""Appends to `report/data.jsonl`, the stage's memory for the report. Rank 0 during a start, the driver after it.

Steps are thinned by one rule: of a run of more than 1,000 steps every k-th is kept, k = ceil(steps / 1,000), and the
first and the last. The rule looks at the step alone, so a step trained again after a restart replaces itself.
"""

import logging
import math
from pathlib import Path

from trivium_trainer.durable import cut_torn_line
from trivium_trainer.report_data import Line, StepLine

MAX_STEP_LINES = 1000

log = logging.getLogger(__name__)


class ReportFile:
    """Line-buffered: a kill loses at most the line that is being written, and opening again cuts it."""

    def __init__(self, path: Path, *, total_steps: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        cut_torn_line(path)
        self._total_steps = total_steps
        self._stride = max(1, math.ceil(total_steps / MAX_STEP_LINES))
        self._file = path.open("a", buffering=1)

    def write(self, line: Line) -> None:
        if isinstance(line, StepLine) and not self._is_kept(line.step):
            return
        try:
            self._file.write(line.model_dump_json(by_alias=True) + "\n")
        except OSError as error:
            # A full disk is told by the next checkpoint; the report's data is not worth a training run.
            log.warning("a line of the report is lost: %s", error)

    def close(self) -> None:
        self._file.close()

    def _is_kept(self, step: int) -> bool:
        return step in (1, self._total_steps) or step % self._stride == 0
