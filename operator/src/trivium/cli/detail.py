"""One job in detail: what it is doing, how it is planned, what happened to it."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from trivium.cli import figures
from trivium.cli.job_view import JobView, view_job
from trivium.cli.state_reader import StateReader
from trivium.ports import Manifest

_EVENTS_SHOWN = 10
_GIBI = 1024**3


def print_detail(job: Manifest, reader: StateReader, *, console: Console) -> None:
    """Facts, plan, attempts and events of a job."""
    view = reader.on_this_machine(view_job(job))
    status: Mapping[str, Any] = job.get("status") or {}
    facts = Table(box=None, show_header=False, pad_edge=False)
    facts.add_column(style="bold", no_wrap=True)
    facts.add_column(overflow="fold")
    for name, value in _facts(job, view, status):
        if value:
            facts.add_row(name, value)
    console.print(facts)
    _print_attempts(status, console)
    _print_events(job, reader, console)


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


def _print_attempts(status: Mapping[str, Any], console: Console) -> None:
    attempts = status.get("attempts") or []
    if not attempts:
        return
    table = Table(box=None, pad_edge=False, header_style="bold", title="\nAttempts", title_justify="left")
    for name in ("NO", "STAGE", "OUTCOME", "STEPS", "STARTED", "WHY"):
        table.add_column(name, no_wrap=True, overflow="ellipsis")
    for one in attempts:
        failure = one.get("failure") or {}
        why = f"{failure['class']}, {failure.get('reason', '')}" if failure else ""
        steps = f"{one.get('firstStep', 0)} to {one.get('lastStep', 0)}" if one["stage"] != "prepare" else ""
        table.add_row(str(one["number"]), one["stage"], one.get("outcome") or "Running", steps, one["startedAt"], why)
    console.print(table)


def _print_events(job: Manifest, reader: StateReader, console: Console) -> None:
    events = reader.events(job)[-_EVENTS_SHOWN:]
    if not events:
        return
    table = Table(box=None, pad_edge=False, header_style="bold", title="\nEvents", title_justify="left", expand=True)
    table.add_column("TIME", min_width=len("00:00:00"))
    table.add_column("REASON", min_width=max(len(event["reason"]) for event in events))
    table.add_column("MESSAGE", no_wrap=True, overflow="ellipsis", ratio=1)
    for event in events:
        table.add_row(event["at"][11:19], event["reason"], " ".join(event["message"].split()))
    console.print(table)
