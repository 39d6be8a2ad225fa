"""Jobs as rows: the columns of `kubectl get`."""

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from trivium.cli import figures
from trivium.cli.job_view import JobView, view_job
from trivium.ports import Manifest

_COLUMNS = ("JOB", "PHASE", "STAGE", "STEP", "LOSS", "TOKENS/S", "ETA", "RESTARTS", "AGE")
_WIDE = ("WORKERS", "GPUS", "GOODPUT", "QUEUE", "OUTPUT")


def print_jobs(jobs: Sequence[Manifest], *, wide: bool, with_namespace: bool, console: Console) -> None:
    """A row a job."""
    now = datetime.now(UTC)
    rows = [(*(("NAMESPACE",) if with_namespace else ()), *_COLUMNS, *(_WIDE if wide else ()))]
    for job in jobs:
        view = view_job(job)
        namespace = (view.namespace,) if with_namespace else ()
        rows.append((*namespace, *_row(job, view, now=now), *(_wide(job, view) if wide else ())))
    # As kubectl: never cut, whatever the width, for a name that is cut cannot be copied or searched for. Rich's own
    # tables give way instead.
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        cells = (set_cell_size(cell, width) for cell, width in zip(row, widths, strict=True))
        console.print(Text("  ".join(cells).rstrip(), style="" if number else "bold"), soft_wrap=True)


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
