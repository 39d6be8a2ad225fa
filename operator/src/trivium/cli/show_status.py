"""Jobs on a terminal: the columns of `kubectl get`, and one job in detail."""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from trivium.cli import figures
from trivium.cli.detail import print_detail
from trivium.cli.job_address import find_job
from trivium.cli.job_view import JobView, view_job
from trivium.cli.options import OutputFormat
from trivium.cli.state_reader import StateReader
from trivium.ports import Manifest


def show_status(job: str | None, *, namespace: str, state: Path, output: OutputFormat) -> None:
    """Print one job or all of a namespace. Raises CommandError."""
    reader = StateReader(state)
    here = [one for one in reader.jobs() if one["metadata"]["namespace"] == namespace]
    chosen = here if job is None else [find_job(job, here, namespace=namespace)]
    match output:
        case OutputFormat.JSON:
            print(json.dumps(_as_objects(chosen, single=job is not None), indent=2))
        case OutputFormat.YAML:
            _print_yaml(_as_objects(chosen, single=job is not None))
        case _ if job is not None:
            print_detail(chosen[0], reader, console=Console(highlight=False))
        case _:
            _print_table(chosen, reader, namespace=namespace, wide=output is OutputFormat.WIDE)


def _print_table(jobs: Sequence[Manifest], reader: StateReader, *, namespace: str, wide: bool) -> None:
    if not jobs:
        print(f"No job in namespace {namespace} of {reader.folder.root}.", file=sys.stderr)
        return
    console = Console(highlight=False)
    now = datetime.now(UTC)
    table = Table(box=None, pad_edge=False, header_style="bold")
    columns = ["JOB", "PHASE", "STAGE", "STEP", "LOSS", "TOKENS/S", "ETA", "RESTARTS", "AGE"]
    for name in columns + (["WORKERS", "GOODPUT", "OUTPUT"] if wide else []):
        table.add_column(name, no_wrap=True)
    views = [view_job(job) for job in jobs]
    for job, view in zip(jobs, views, strict=True):
        table.add_row(*_row(job, view, now=now), *(_wide(job, view) if wide else ()))
    console.print(table, soft_wrap=wide)
    if not reader.is_at_work() and any(not view.has_ended and not view.is_suspended for view in views):
        console.print("\nNo trivium process is at work here: `trivium run` goes on with what is not finished.")


def _row(job: Manifest, view: JobView, *, now: datetime) -> tuple[str, ...]:
    created = datetime.fromisoformat(job["metadata"]["creationTimestamp"])
    eta = (view.eta or "") if not view.has_ended else ""
    return (
        view.job,
        view.phase,
        view.stage or "",
        figures.steps(view),
        figures.loss(view.loss),
        figures.rate(view.tokens_per_second),
        eta,
        str(view.restarts),
        figures.age((now - created).total_seconds()),
    )


def _wide(job: Manifest, view: JobView) -> tuple[str, ...]:
    status = job.get("status") or {}
    goodput = status.get("goodput")
    workers = (status.get("plan") or {}).get("workers")
    return (
        "" if workers is None else str(workers),
        "" if goodput is None else f"{goodput:.2f}",
        view.output or "",
    )


def _as_objects(jobs: Sequence[Manifest], *, single: bool) -> Any:
    """What `kubectl get -o json` gives: the object, or a List; without the ownership that nobody reads."""
    plain = [
        {**job, "metadata": {name: value for name, value in job["metadata"].items() if name != "managedFields"}}
        for job in jobs
    ]
    return plain[0] if single else {"apiVersion": "v1", "kind": "List", "items": plain}


def _print_yaml(value: Any) -> None:
    import yaml  # noqa: PLC0415 - only this format needs it

    yaml.safe_dump(value, sys.stdout, sort_keys=False, allow_unicode=True, width=120)
