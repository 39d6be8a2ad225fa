"""A report as status shows it: rounded, with time left and the part of held time that moved training forward."""

from collections.abc import Mapping

from trivium.api import ComputeProfile
from trivium.api.plan_status import Plan
from trivium.api.status import JobStatus, Progress
from trivium.domain.report import ProgressReport, ReportSnapshot

_MEASURED_FROM_STEP = 100
"""The first steps are slow: caches, compilation. Until then the plan knows better what a step takes, if it knows."""


def read_progress(snapshot: ReportSnapshot, *, status: JobStatus, profiles: Mapping[str, ComputeProfile]) -> Progress:
    """The progress of the current attempt. Everything in it comes from the report, but mfu and the first eta."""
    report = snapshot.report
    total = report.total_steps or (status.plan.total_steps if status.plan is not None else 0)
    rate = report.tokens_per_second
    return Progress(
        step=report.step,
        total_steps=total,
        epoch=round(report.epoch or 0.0, 4),
        tokens=report.tokens,
        percent=min(100, 100 * report.step // total) if total else 0,
        loss=None if report.loss is None else float(f"{report.loss:.4g}"),
        tokens_per_second=None if rate is None else float(f"{rate:.4g}"),
        mfu=_flops_utilization(report, plan=status.plan, profiles=profiles),
        eta=_time_left(report, total=total, plan=status.plan),
        activity=report.activity,
        message=report.message or "",
        updated_at=snapshot.received_at,
        metrics={key: float(f"{value:.6g}") for key, value in sorted(report.metrics.items())},
    )


def _time_left(report: ProgressReport, *, total: int, plan: Plan | None) -> str | None:
    """Like `1h30m`. None before the first step, and where nobody knows the time of one."""
    if not report.step or total <= report.step:
        return None
    planned = plan.estimated_step_seconds if plan is not None else None
    speed = _steps_per_second(report)
    if planned and report.step < _MEASURED_FROM_STEP:
        return format_duration((total - report.step) * planned)
    return format_duration((total - report.step) / speed) if speed else None


def _steps_per_second(report: ProgressReport) -> float | None:
    """At the present speed and the mean tokens of a step."""
    if not (report.tokens_per_second and report.step and report.tokens):
        return None
    return report.tokens_per_second * report.step / report.tokens


def format_duration(seconds: float) -> str:
    """Two units at most: `45s`, `12m`, `1h30m`, `2d3h`. Units: seconds."""
    whole = int(min(seconds, 1e9))
    if whole < 60:
        return f"{whole}s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86_400
    if hours == 0:
        return f"{minutes}m"
    if days == 0:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    return f"{days}d{hours % 24}h" if hours % 24 else f"{days}d"


def _flops_utilization(
    report: ProgressReport, *, plan: Plan | None, profiles: Mapping[str, ComputeProfile]
) -> float | None:
    """The plan's floating-point operations of a step, of the peak of the GPUs held. None where either is not known."""
    profile = profiles.get(plan.profile) if plan is not None else None
    speed = _steps_per_second(report)
    if plan is None or profile is None or profile.spec.gpu is None or not (speed and plan.gpus and plan.flops_per_step):
        return None
    peak: float | None = getattr(profile.spec.gpu.peak_tflops, plan.precision)
    if peak is None:
        return None
    return round(plan.flops_per_step * speed / (plan.gpus * peak * 1e12), 4)
