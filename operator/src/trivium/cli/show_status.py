"""`trivium status` of a state folder: its jobs, or one in detail."""

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from trivium.cli.detail import print_detail
from trivium.cli.job_address import find_job
from trivium.cli.job_table import print_jobs
from trivium.cli.job_view import view_job
from trivium.cli.objects import print_objects
from trivium.cli.options import OutputFormat
from trivium.cli.state_reader import StateReader
from trivium.ports import Manifest


def show_status(job: str | None, *, namespace: str, state: Path, output: OutputFormat) -> None:
    """Print one job or all of a namespace. Raises CommandError."""
    reader = StateReader(state)
    here = [one for one in reader.jobs() if one["metadata"]["namespace"] == namespace]
    chosen = here if job is None else [find_job(job, here, namespace=namespace)]
    if output in (OutputFormat.JSON, OutputFormat.YAML):
        print_objects(chosen, single=job is not None, output=output)
    elif job is not None:
        view = reader.on_this_machine(view_job(chosen[0]))
        print_detail(chosen[0], view, reader.events(chosen[0]), console=Console(highlight=False))
    elif not chosen:
        print(f"No job in namespace {namespace} of {reader.folder.root}.", file=sys.stderr)
    else:
        console = Console(highlight=False)
        print_jobs(chosen, wide=output is OutputFormat.WIDE, with_namespace=False, console=console)
        _note_standstill(chosen, reader, console)


def _note_standstill(jobs: Sequence[Manifest], reader: StateReader, console: Console) -> None:
    views = [view_job(job) for job in jobs]
    if not reader.is_at_work() and any(not view.has_ended and not view.is_suspended for view in views):
        console.print("\nNo trivium process is at work here: `trivium run` goes on with what is not finished.")
