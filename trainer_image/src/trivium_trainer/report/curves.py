"""Which curves a training stage gets, by what it wrote."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from trivium_trainer.report.line_chart import LineChart, Series
from trivium_trainer.report.run_report import StageReport
from trivium_trainer.report.series import Points, finite, smooth
from trivium_trainer.report.wording import perplexity_of
from trivium_trainer.report_data import EvaluationLine, StepLine


def plan_curves(stage: StageReport, *, key: str) -> tuple[LineChart, ...]:
    """The stage's charts in reading order; `key` makes their ids unique on the page."""
    restarts = tuple(start.run.resumed_from_step for start in stage.starts[1:] if start.run is not None)
    charts = [
        _loss(stage, key=f"{key}-loss", restarts=restarts),
        *_held_out_perplexity(stage, key=f"{key}-perplexity"),
        *_preference(stage, key=key, restarts=restarts),
        LineChart(
            key=f"{key}-lr",
            title="Learning rate",
            unit="per step",
            series=(Series(label="learning rate", style="main", points=_points(stage.steps, _learning_rate)),),
            restarts=restarts,
            zero=True,
        ),
        _gradient_norm(stage, key=f"{key}-grad", restarts=restarts),
        LineChart(
            key=f"{key}-speed",
            title="Throughput",
            unit="trained tokens per second",
            series=_with_trend(_points(stage.steps, _tokens_per_second)),
            restarts=restarts,
            zero=True,
        ),
    ]
    last_step = max([line.step for line in stage.steps] + [line.step for line in stage.evaluations], default=0)
    shown = (chart for chart in charts if any(finite(series.points) for series in chart.series))
    return tuple(replace(chart, last_step=last_step) for chart in shown)


def _loss(stage: StageReport, *, key: str, restarts: tuple[int, ...]) -> LineChart:
    is_preference = stage.run is not None and stage.run.recipe == "dpo"
    return LineChart(
        key=key,
        title="Loss",
        unit="mean over pairs" if is_preference else "nats per trained token",
        series=(
            *_with_trend(_points(stage.steps, lambda line: line.loss), of="training, "),
            *_held_out(stage, lambda line: line.loss),
        ),
        restarts=restarts,
    )


def _held_out_perplexity(stage: StageReport, *, key: str) -> list[LineChart]:
    """A chart of its own from three measurements on: two are in the table already."""
    series = _held_out(stage, lambda line: line.perplexity)
    if max((len(one.points) for one in series), default=0) < 3:
        return []
    recipe = stage.run.recipe if stage.run is not None else ""
    values = [y for one in series for _, y in finite(one.points)]
    # Half a decade is where a linear axis begins to hide the end of a fall, and below it a logarithmic one hides all.
    is_wide = bool(values) and min(values) > 0 and max(values) > 5 * min(values)
    return [
        LineChart(
            key=key,
            title=perplexity_of(recipe),
            unit="per token, logarithmic" if is_wide else "per token",
            series=series,
            log=is_wide,
        )
    ]


def _preference(stage: StageReport, *, key: str, restarts: tuple[int, ...]) -> list[LineChart]:
    def metric(name: str) -> Points:
        return _points(stage.steps, lambda line: line.metrics.get(name))

    def both(name: str) -> tuple[Series, ...]:
        return (*_with_trend(metric(name), of="training, "), *_held_out(stage, lambda line: line.metrics.get(name)))

    margin = LineChart(
        key=f"{key}-margin",
        title="Reward margin",
        unit="chosen minus rejected, times beta",
        series=both("reward_margin"),
        restarts=restarts,
        zero=True,
    )
    accuracy = LineChart(
        key=f"{key}-accuracy",
        title="Preference accuracy",
        unit="share of pairs where the chosen answer gains more",
        series=both("reward_accuracy"),
        restarts=restarts,
        low=0.0,
        high=1.0,
    )
    rewards = LineChart(
        key=f"{key}-rewards",
        title="Implicit rewards",
        unit="log-probability against the reference, times beta",
        series=(
            Series(label="chosen", style="main", points=smooth(metric("reward_chosen"))),
            Series(label="rejected", style="second", points=smooth(metric("reward_rejected"))),
        ),
        restarts=restarts,
        zero=True,
    )
    return [margin, accuracy, rewards]


def _gradient_norm(stage: StageReport, *, key: str, restarts: tuple[int, ...]) -> LineChart:
    points = finite(_points(stage.steps, lambda line: line.grad_norm))
    values = sorted(y for _, y in points)
    # One spike far above the rest would press a linear curve flat; thirty is where that begins to hurt the eye.
    has_spikes = bool(values) and values[0] > 0 and values[-1] > 30 * values[len(values) // 2]
    return LineChart(
        key=key,
        title="Gradient norm",
        unit="before clipping, logarithmic" if has_spikes else "before clipping",
        series=_with_trend(points),
        restarts=restarts,
        zero=not has_spikes,
        log=has_spikes,
    )


def _with_trend(points: Points, *, of: str = "") -> tuple[Series, ...]:
    """Every value faintly, and the running mean over it; a short series is its own trend."""
    known = finite(points)
    if len(known) < 30:
        return (Series(label=f"{of}each step", style="main", points=known),)
    return (
        Series(label=f"{of}each step", style="faint", points=known),
        Series(label=f"{of}running mean", style="main", points=smooth(known)),
    )


def _held_out(stage: StageReport, value: Callable[[EvaluationLine], float | None]) -> tuple[Series, ...]:
    """One series per evaluation set; a single one is simply called held out."""
    series: dict[str, list[tuple[float, float]]] = {}
    for line in stage.evaluations:
        y = value(line)
        if y is not None:
            series.setdefault(line.dataset, []).append((float(line.step), y))
    return tuple(
        Series(label="held out" if len(series) == 1 else dataset, style="points", points=tuple(points))
        for dataset, points in series.items()
    )


def _points(steps: Sequence[StepLine], value: Callable[[StepLine], float | None]) -> Points:
    pairs = ((line.step, value(line)) for line in steps)
    return tuple((float(step), y) for step, y in pairs if y is not None)


def _learning_rate(line: StepLine) -> float:
    return line.learning_rate


def _tokens_per_second(line: StepLine) -> float:
    return line.tokens_per_second
