"""How far the planner is off: its present prediction against a kept measurement, category by category."""

from dataclasses import dataclass

from benchmarks.memory.prediction import predict
from benchmarks.memory.store import Measurement
from trivium.planning.memory import MemoryBreakdown

CATEGORIES = ("weights", "gradients", "optimizer", "activations", "logits", "step", "reference", "buckets")
SMALLEST_SHARE = 0.05
"""A category is compared where it is more than this share of the total, measured or predicted."""
GOAL = (-0.05, 0.10)
"""Errors of a category that the planner may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowError:
    """One window (training: the micro-batches; step: the optimizer's) of one measurement. Errors are predicted /
    measured - 1; total in bytes.
    """

    measurement: Measurement
    window: str
    moment: str
    """Which of the planner's moments it is."""
    measured: int
    total: float
    categories: dict[str, float]


def errors_of(measurement: Measurement) -> list[WindowError]:
    """One for each window that was measured."""
    moments = predict(measurement.case)
    if measurement.kind == "resident":
        peak = measurement.windows["resident"]["peak"]
        name = max(moments, key=lambda name: moments[name].total)
        return [_error(measurement, "resident", name, moments[name], peak=peak, parts={})]
    found = []
    for window, names in (("training", ("loss", "backward", "reduce")), ("step", ("step",))):
        if window not in measurement.windows:
            continue
        name = max(names, key=lambda name: _compared(measurement, moments[name]))
        seen = measurement.windows[window]
        found.append(_error(measurement, window, name, moments[name], peak=seen["peak"], parts=seen["parts"]))
    return found


def _error(
    measurement: Measurement,
    window: str,
    name: str,
    moment: MemoryBreakdown,
    *,
    peak: int,
    parts: dict[str, int],
) -> WindowError:
    predicted = moment.by_part()
    categories = {}
    for category in CATEGORIES:
        if not parts or (measurement.kind == "shapes" and category == "optimizer"):
            continue
        seen = parts.get(category, 0)
        if max(seen, predicted[category]) > SMALLEST_SHARE * peak:
            categories[category] = predicted[category] / seen - 1 if seen else float("inf")
    return WindowError(
        measurement=measurement,
        window=window,
        moment=name,
        measured=peak,
        total=_compared(measurement, moment) / peak - 1,
        categories=categories,
    )


def _compared(measurement: Measurement, moment: MemoryBreakdown) -> int:
    """Shapes are measured without an optimizer."""
    return moment.total - (moment.optimizer if measurement.kind == "shapes" else 0)
