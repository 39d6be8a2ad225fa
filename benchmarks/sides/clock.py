"""The window of a training side: opened after the warm-up steps, closed after the measured ones."""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import torch


def read_task() -> dict[str, Any]:
    """The task file named on the command line."""
    task: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
    return task


class StepClock:
    """Call `stepped` after every optimizer step; `is_over` after the last measured one."""

    def __init__(self, task: dict[str, Any]) -> None:
        self._task = task
        self._last: int = task["warmup"] + task["steps"]
        self._times: list[float] = [time.perf_counter()]
        self.losses: list[float] = []

    @property
    def is_over(self) -> bool:
        return len(self._times) > self._last

    def stepped(self, loss: float | None = None) -> None:
        """Take the time. `loss`: of this step, where the side knows it."""
        self._times.append(time.perf_counter())
        if loss is not None:
            self.losses.append(loss)

    def write_result(self) -> None:
        """Non-pad tokens per second of the window, and the losses. Refuses to report with a wrong thread count."""
        assert torch.get_num_threads() == int(os.environ["OMP_NUM_THREADS"]), torch.get_num_threads()
        warmup = self._task["warmup"]
        seconds = self._times[self._last] - self._times[warmup]
        tokens = sum(self._task["tokens"][warmup : self._last])
        figures = {
            "tokensPerSecond": tokens / seconds,
            "seconds": seconds,
            "tokens": tokens,
            "firstLoss": self.losses[0],
            # A side that logs now and then knows means only.
            **({"lastLoss": self.losses[-1]} if len(self.losses) == len(self._times) - 1 else {}),
            "threads": torch.get_num_threads(),
        }
        Path(self._task["result"]).write_text(json.dumps(figures))
