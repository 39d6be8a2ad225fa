"""Jobs as rows: the columns of `kubectl get`."""

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from trivium.cli import figures
from trivium.cli.job_view import JobView, view_job
from trivium.ports import Manifest

_COLUMNS = ("JOB", "PHASE", "STAGE", "STEP", "LOSS", "TOKENS/S", "ETA", "RESTARTS", "AGE")
_WIDE = ("WORKERS", "GPUS", "GOODPUT", "QUEUE", "OUTPUT")


def print_jobs(jobs: Sequence[Manifest], *, wide: bool, with_namespace: bool, console: Console) -> None:
    """A row a job."""
    now = datetime.now(UTC)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in (*(("NAMESPACE",) if with_namespace else ()), *_COLUMNS, *(_WIDE if wide else ())):
        table.add_column(name, no_wrap=True)
    for job in jobs:
        view = view_job(job)
        namespace = (view.namespace,) if with_namespace else ()
        table.add_row(*namespace, *_row(job, view, now=now), *(_wide(job, view) if wide else ()))
    console.print(table, soft_wrap=wide)


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
    goodput, plan = status.get("goodput"), status.get("plan") or {}
    return (
        str(plan.get("workers", "")),
        str(plan.get("gpus", "")),
        "" if goodput is None else f"{goodput:.2f}",
        status.get("queue") or "",
        view.output or "",
    )
