"""One job in detail: what it is doing, how it is planned, what happened to it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from trivium.cli import figures
from trivium.cli.job_view import JobView
from trivium.ports import Manifest

_EVENTS_SHOWN = 10
_GIBI = 1024**3


def print_detail(job: Manifest, view: JobView, events: Sequence[Mapping[str, str]], *, console: Console) -> None:
    """Facts, plan, attempts and events of a job. Events have `at`, `reason` and `message`, oldest first."""
    status: Mapping[str, Any] = job.get("status") or {}
    facts = Table(box=None, show_header=False, pad_edge=False)
    facts.add_column(style="bold", no_wrap=True)
    facts.add_column(overflow="fold")
    for name, value in _facts(job, view, status):
        if value:
            facts.add_row(name, value)
    console.print(facts)
    _print_attempts(status, console)
    _print_events(events, console)


def _facts(job: Manifest, view: JobView, status: Mapping[str, Any]) -> list[tuple[str, str | None]]:
    namespace = job["metadata"]["namespace"]
    failure = view.failure
    return [
        ("Job", f"{view.job} in namespace {namespace}, uid {view.uid}"),
        ("Phase", view.phase + (f", stage {view.stage}" if view.stage else "")),
        ("Message", view.message if failure is None else None),
        ("Failure", f"{failure.failure_class}, {failure.reason}: {failure.message}" if failure else None),
        ("What to do", failure.remedy if failure else None),
        ("Progress", _progress(view)),
        ("Plan", _plan(status.get("plan") or {})),
        ("Foreseen", _foreseen(status.get("plan") or {})),
        ("Output", view.output),
        ("Report", view.report),
        ("Lineage", " → ".join(f"{one['kind']} {one['name']}" for one in status.get("lineage") or [])),
    ]


def _progress(view: JobView) -> str | None:
    if not view.step:
        return None
    parts = [f"step {figures.steps(view)}"]
    parts += [f"loss {figures.loss(view.loss)}"] if view.loss is not None else []
    parts += [f"{figures.rate(view.tokens_per_second)} tokens/s"] if view.tokens_per_second else []
    parts += [f"{view.eta} left"] if view.eta and not view.has_ended else []
    return ", ".join(parts)


def _plan(plan: Mapping[str, Any]) -> str | None:
    if not plan:
        return None
    workers = plan.get("workers", 1)
    parts = [f"{plan.get('parameters', 0):,} parameters"] if plan.get("parameters") else []
    parts += [f"{workers} {'worker' if workers == 1 else 'workers'}", f"ZeRO stage {plan.get('zeroStage', 0)}"]
    if plan.get("totalSteps"):
        parts.append(f"{plan['totalSteps']} steps of {plan.get('globalBatchSize')} sequences")
    parts += [
        f"micro-batch {size['microBatchSize']} x {size['gradientAccumulation']} on {size['worldSize']} ranks"
        for size in plan.get("sizes") or []
    ]
    memory = plan.get("memoryPerGPU")
    if memory:
        parts.append(f"{memory['needed'] / _GIBI:.1f} of {memory['available'] / _GIBI:.1f} GiB a worker")
    return ", ".join(parts) + (" (before prepare has seen the data)" if plan.get("provisional") else "")


def _foreseen(plan: Mapping[str, Any]) -> str | None:
    """What was predicted, and, when it is over, what came of it."""
    outcome = plan.get("outcome") or {}
    parts = [
        _beside("time", plan.get("estimatedSeconds"), outcome.get("seconds"), show=figures.age),
        _beside("start", plan.get("startSeconds"), outcome.get("startSeconds"), show=figures.age),
        _beside(
            "memory of a rank",
            (plan.get("memoryPerGPU") or {}).get("needed"),
            outcome.get("memoryBytes"),
            show=lambda size: f"{size / _GIBI:.1f} GiB",
        ),
    ]
    return "; ".join(part for part in parts if part) or None


def _beside(name: str, predicted: float | None, measured: float | None, *, show: Callable[[float], str]) -> str:
    """`time 12m, measured 14m`; empty where nothing was predicted."""
    if predicted is None:
        return ""
    return f"{name} {show(predicted)}" + (f", measured {show(measured)}" if measured is not None else "")


def _print_attempts(status: Mapping[str, Any], console: Console) -> None:
    rows = [_attempt_row(attempt) for attempt in status.get("attempts") or []]
    _print_table("Attempts", ("NO", "STAGE", "OUTCOME", "STEPS", "STARTED", "WHY"), rows, console)


def _attempt_row(attempt: Mapping[str, Any]) -> tuple[str, ...]:
    failure = attempt.get("failure") or {}
    trains = attempt["stage"] != "prepare"
    return (
        str(attempt["number"]),
        attempt["stage"],
        attempt.get("outcome") or "Running",
        f"{attempt.get('firstStep', 0)} to {attempt.get('lastStep', 0)}" if trains else "",
        _time(attempt["startedAt"]),
        f"{failure['class']}, {failure.get('reason', '')}" if failure else "",
    )


def _print_events(events: Sequence[Mapping[str, str]], console: Console) -> None:
    # A message of several lines becomes one: this is a list.
    shown = events[-_EVENTS_SHOWN:]
    rows = [(_time(event["at"]), event["reason"], " ".join(event["message"].split())) for event in shown]
    _print_table("Events", ("TIME", "REASON", "MESSAGE"), rows, console)


def _print_table(title: str, names: Sequence[str], rows: Sequence[tuple[str, ...]], console: Console) -> None:
    """A table in which the last column gives way where the terminal is narrow."""
    if not rows:
        return
    table = Table(box=None, pad_edge=False, header_style="bold", title=f"\n{title}", title_justify="left", expand=True)
    for number, name in enumerate(names[:-1]):
        table.add_column(name, min_width=max(len(name), *(len(row[number]) for row in rows)))
    table.add_column(names[-1], no_wrap=True, overflow="ellipsis", ratio=1)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _time(timestamp: str) -> str:
    """In the reader's own time zone."""
    return datetime.fromisoformat(timestamp).astimezone().strftime("%m-%d %H:%M:%S")
