"""A line chart as geometry: what the template draws as inline SVG. No markup here, so nothing here needs escaping.

0        LEFT                                  WIDTH-RIGHT  WIDTH
|  label  +------------------------------------+   TOP
|         |  plot                              |
|         +------------------------------------+   HEIGHT-BOTTOM
|          tick labels of x                        HEIGHT
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from trivium_trainer.report.axis import Axis, linear_axis, log_axis
from trivium_trainer.report.series import MAX_POINTS, Points, downsample, finite
from trivium_trainer.report.wording import figure

WIDTH, HEIGHT = 400, 230
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 12, 28

SeriesStyle = Literal["faint", "main", "second", "third", "points"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One line. `faint` stays out of the description, `points` are single values joined by a thin line."""

    label: str
    style: SeriesStyle
    points: Points


@dataclass(frozen=True, slots=True, kw_only=True)
class LineChart:
    """What to draw; `restarts` are steps at which training went on from a checkpoint."""

    key: str
    """Unique on the page: ids are made of it."""
    title: str
    unit: str
    series: tuple[Series, ...]
    restarts: tuple[int, ...] = ()
    zero: bool = False
    log: bool = False
    low: float | None = None
    high: float | None = None
    """Bounds that a quantity has by nature (a share: 0 and 1)."""
    last_step: int = 0
    """The stage's last step: all its charts share one axis of steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    x: float
    y: float
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnSeries:
    label: str
    style: SeriesStyle
    path: str
    """Points of an SVG polyline, or "" if there are none."""
    marks: tuple[Mark, ...]
    """For `points`, and for a line of a single value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """Everything in viewBox units; the data's domain comes along for the reader's crosshair."""

    chart: LineChart
    x_ticks: tuple[Mark, ...]
    y_ticks: tuple[Mark, ...]
    series: tuple[DrawnSeries, ...]
    restarts: tuple[Mark, ...]
    x_axis: Axis
    y_axis: Axis
    description: str
    """The chart in words, for those who do not see it."""
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


def draw(chart: LineChart, *, max_points: int = MAX_POINTS) -> Drawing | None:
    """None if no series has a finite value."""
    series = [(one, finite(one.points)) for one in chart.series]
    series = [(one, points) for one, points in series if points]
    if not series:
        return None
    xs = [x for _, points in series for x in (points[0][0], points[-1][0])]
    x_axis = linear_axis([0.0, chart.last_step, *xs], tight=True, most=7)
    y_axis = _y_axis(chart, [y for _, points in series for _, y in points])
    drawn = tuple(_draw_series(one, downsample(points, max_points), x_axis, y_axis) for one, points in series)
    return Drawing(
        chart=chart,
        x_ticks=tuple(Mark(x=_x(x_axis, tick.value), y=HEIGHT - BOTTOM, label=tick.label) for tick in x_axis.ticks),
        y_ticks=tuple(Mark(x=LEFT, y=_y(y_axis, tick.value), label=tick.label) for tick in y_axis.ticks),
        series=drawn,
        restarts=tuple(
            Mark(x=_x(x_axis, step), y=TOP, label=f"{step:,}")
            for step in chart.restarts
            if x_axis.low <= step <= x_axis.high
        ),
        x_axis=x_axis,
        y_axis=y_axis,
        description=" ".join(_describe(one, points) for one, points in series if one.style != "faint"),
    )


def _y_axis(chart: LineChart, values: Sequence[float]) -> Axis:
    bounds = [bound for bound in (chart.low, chart.high) if bound is not None]
    if chart.log and min(values) > 0:
        return log_axis(values)
    return linear_axis([*values, *bounds], zero=chart.zero)


def _draw_series(series: Series, points: Points, x_axis: Axis, y_axis: Axis) -> DrawnSeries:
    places = [(_x(x_axis, x), _y(y_axis, y)) for x, y in points]
    has_marks = series.style == "points" or len(points) == 1
    return DrawnSeries(
        label=series.label,
        style=series.style,
        path=" ".join(f"{x:g},{y:g}" for x, y in places) if len(places) > 1 else "",
        marks=tuple(
            Mark(x=place[0], y=place[1], label=f"step {step:,.0f}: {figure(value)}")
            for place, (step, value) in zip(places, points, strict=True)
        )
        if has_marks
        else (),
    )


def _describe(series: Series, points: Points) -> str:
    (first_step, first), (last_step, last) = points[0], points[-1]
    lowest, highest = min(y for _, y in points), max(y for _, y in points)
    return (
        f"{series.label}: {figure(first)} at step {first_step:,.0f}, {figure(last)} at step {last_step:,.0f}; "
        f"between {figure(lowest)} and {figure(highest)}."
    )


def _x(axis: Axis, value: float) -> float:
    return round(LEFT + axis.position(value) * (WIDTH - LEFT - RIGHT), 1)


def _y(axis: Axis, value: float) -> float:
    return round(HEIGHT - BOTTOM - axis.position(value) * (HEIGHT - TOP - BOTTOM), 1)
