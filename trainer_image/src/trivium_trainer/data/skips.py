"""Which data step an optimizer step trains once parts of the data order are left out. Pure arithmetic.

    data steps       1  2  3  4  5  6  7  8  9 ...
    left out                  [4  5]
    optimizer steps  1  2  3        4  5  6  7 ...

Both are counted from 1. Windows may touch or overlap: a data step is left out once, however many windows hold it.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trivium_trainer.config import SkipWindow


def data_step_of(step: int, skips: Sequence[SkipWindow]) -> int:
    """The data step that optimizer step `step` trains; 0 for 0, the state before the first."""
    return int(data_steps_of(np.array([step], dtype=np.int64), skips)[0]) if step > 0 else 0


def data_steps_of(steps: NDArray[np.int64], skips: Sequence[SkipWindow]) -> NDArray[np.int64]:
    """The same for many optimizer steps, each at least 1. Shapes: [n] -> [n]."""
    result = steps.copy()
    for first, length in _merged(skips):
        # Earlier windows are counted in already, so `result` is the data step as far as this window is concerned.
        result += np.where(result >= first, length, 0)
    return result


def _merged(skips: Sequence[SkipWindow]) -> list[tuple[int, int]]:
    """(first data step, length) of the union of all windows, in order, none touching the next."""
    merged: list[tuple[int, int]] = []
    for window in sorted(skips, key=lambda window: window.data_step):
        end = window.data_step + window.steps
        if merged and window.data_step <= sum(merged[-1]):
            first, length = merged[-1]
            merged[-1] = (first, max(first + length, end) - first)
        else:
            merged.append((window.data_step, window.steps))
    return merged
