"""Axes: which values get a tick, what it says, and where a value lies."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from trivium_trainer.report.wording import MINUS, THIN

ScaleKind = Literal["linear", "log"]

TIME_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400, 172800, 604800)
"""Seconds between ticks that people count in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    value: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A scale from `low` to `high` with ticks inside, in rising order."""

    kind: ScaleKind
    low: float
    high: float
    ticks: tuple[Tick, ...]

    def position(self, value: float) -> float:
        """Where `value` lies: 0 at `low`, 1 at `high`. A log axis takes positive values only."""
        if self.kind == "log":
            return (math.log(value) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))
        return (value - self.low) / (self.high - self.low)


def linear_axis(values: Iterable[float], *, zero: bool = False, tight: bool = False, most: int = 6) -> Axis:
    """Steps of 1, 2 or 5 times a power of ten; `zero` includes 0, `tight` ends at the data instead of at a tick."""
    low, high = _extent(values)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if low == high:
        margin = abs(low) * 0.1 or 1.0
        low, high = low - margin * (not zero or low < 0), high + margin
    step = _nice_step((high - low) / (most - 1))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    if tight:
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    else:
        low, high = first * step, last * step
    largest = max(abs(first), abs(last)) * step
    ticks = tuple(
        Tick(value=index * step, label=tick_label(index * step, step, largest)) for index in range(first, last + 1)
    )
    return Axis(kind="linear", low=low, high=high, ticks=ticks)


def log_axis(values: Iterable[float]) -> Axis:
    """Whole decades around positive values, with 2 and 5 between them where there are few decades."""
    low, high = _extent(value for value in values if value > 0)
    first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
    last = max(last, first + 1)
    stride = max(1, math.ceil((last - first) / 6))
    factors = (1, 2, 5) if last - first <= 2 else (1,)
    marks = [factor * 10.0**decade for decade in range(first, last + 1, stride) for factor in factors]
    axis_high = 10.0**last
    ticks = tuple(
        Tick(value=mark, label=tick_label(mark, mark, mark)) for mark in marks if mark <= axis_high * (1 + 1e-9)
    )
    return Axis(kind="log", low=10.0**first, high=axis_high, ticks=ticks)


def time_axis(seconds: float, most: int = 6) -> Axis:
    """From 0 to `seconds`, with ticks at whole seconds, minutes, hours or days."""
    end = max(seconds, 1.0)
    step = next((step for step in TIME_STEPS if end / step <= most), math.ceil(end / most / 604800) * 604800)
    ticks = tuple(Tick(value=value, label=_time_label(value, step, end)) for value in range(0, int(end) + 1, step))
    return Axis(kind="linear", low=0.0, high=end, ticks=ticks)


def tick_label(value: float, step: float, largest: float) -> str:
    """Just enough digits to tell neighbors apart, one unit for the whole axis: 0.25, 4, 1,200, 20 k, 1.5 M, 5e-6."""
    if abs(value) < step * 1e-9:
        return "0"
    for limit, divisor, unit in ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if largest >= limit:
            return _fixed(value / divisor, step / divisor) + THIN + unit
    if step < 1e-4:
        exponent = math.floor(math.log10(abs(value)) + 1e-9)
        return f"{_fixed(value / 10.0**exponent, step / 10.0**exponent)}e{exponent}".replace("-", MINUS)
    return _fixed(value, step)


def _fixed(value: float, step: float) -> str:
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return f"{value:,.{decimals}f}".replace("-", MINUS)


def _time_label(value: int, step: int, end: float) -> str:
    if value == 0:
        return "0"
    if step < 60:
        return f"{value // 60}:{value % 60:02d}" if end >= 60 else f"{value}{THIN}s"
    if step < 3600:
        hours, rest = divmod(value // 60, 60)
        return f"{hours}{THIN}h {rest:02d}" if hours else f"{value // 60}{THIN}min"
    return f"{value // 3600}{THIN}h" if step < 86400 else f"{value // 86400}{THIN}d"


def _nice_step(raw: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is at least `raw`."""
    power = 10.0 ** math.floor(math.log10(raw))
    return next((factor * power for factor in (1, 2, 5) if factor * power >= raw * (1 - 1e-9)), 10 * power)


def _extent(values: Iterable[float]) -> tuple[float, float]:
    known = list(values)
    if not known:
        raise ValueError("an axis needs at least one value")
    return min(known), max(known)
