"""Bars as geometry: the length histogram, and memory planned against memory measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trivium_trainer.report.axis import linear_axis
from trivium_trainer.report.wording import count, size

WIDTH, HEIGHT = 400, 170
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 18, 28
ROW, BAR, LABEL = 30, 14, 112


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A rectangle with its text, in viewBox units."""

    x: float
    y: float
    width: float
    height: float
    label: str
    value: str
    kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BarChart:
    key: str
    title: str
    unit: str
    bars: tuple[Bar, ...]
    description: str
    width: int = WIDTH
    height: int = HEIGHT


def histogram(lengths: Mapping[str, int], *, key: str) -> BarChart | None:
    """Columns, one per power of two, from the first bucket that holds anything to the last; None if all are empty.

    `lengths`: upper bound in tokens (a decimal number as text) -> examples. Keys that are no number are left out.
    """
    known = sorted((int(bound), number) for bound, number in lengths.items() if bound.isdecimal() and len(bound) < 12)
    used = [index for index, (_, number) in enumerate(known) if number > 0]
    if not used:
        return None
    shown = known[used[0] : used[-1] + 1][:24]
    top = linear_axis([number for _, number in shown], zero=True).high
    slot = (WIDTH - LEFT - RIGHT) / len(shown)
    bars = []
    for index, (bound, number) in enumerate(shown):
        height = round((HEIGHT - TOP - BOTTOM) * number / top, 1)
        x, width = round(LEFT + index * slot + slot * 0.12, 1), round(slot * 0.76, 1)
        bars.append(
            Bar(x=x, y=HEIGHT - BOTTOM - height, width=width, height=height, label=f"≤{bound:,}", value=count(number))
        )
    return BarChart(
        key=key,
        title="Lengths",
        unit="examples by tokens",
        bars=tuple(bars),
        description="; ".join(f"up to {bound:,} tokens: {number:,}" for bound, number in shown) + ".",
    )


def memory_bars(rows: Sequence[tuple[str, float, str]], *, key: str) -> BarChart | None:
    """One horizontal bar per (label, bytes, kind); None if there is nothing to compare."""
    known = [(label, value, kind) for label, value, kind in rows if value > 0]
    if not known:
        return None
    largest = max(value for _, value, _ in known)
    room = WIDTH - LABEL - 76
    bars = tuple(
        Bar(
            x=LABEL,
            y=6 + index * ROW,
            width=max(1.0, round(room * value / largest, 1)),
            height=BAR,
            label=label,
            value=size(value),
            kind=kind,
        )
        for index, (label, value, kind) in enumerate(known)
    )
    return BarChart(
        key=key,
        title="Memory",
        unit="planned and measured, per rank",
        bars=bars,
        description="; ".join(f"{label}: {size(value)}" for label, value, _ in known) + ".",
        height=len(known) * ROW + 6,
    )
