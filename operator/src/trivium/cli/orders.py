"""`trivium suspend | resume | delete`: orders that the process at work carries out, or this one if there is none."""

from pathlib import Path
from typing import Annotated

import typer

from trivium.cli.options import DEFAULT_STATE, JobArgument, NamespaceOption, StateOption


def suspend(job: JobArgument, *, namespace: NamespaceOption = "default", state: StateOption = DEFAULT_STATE) -> None:
    """Save a checkpoint and stop; `trivium resume` goes on from there."""
    _order("suspend", job, namespace, state)


def resume(job: JobArgument, *, namespace: NamespaceOption = "default", state: StateOption = DEFAULT_STATE) -> None:
    """Let a suspended job go on."""
    _order("resume", job, namespace, state)


def delete(
    job: JobArgument,
    *,
    namespace: NamespaceOption = "default",
    state: StateOption = DEFAULT_STATE,
    purge: Annotated[
        bool, typer.Option("--purge", help="Remove checkpoints, report and model of the job too.")
    ] = False,
) -> None:
    """Delete a job. What it wrote stays, unless --purge is given; nothing is saved first: suspend does that."""
    _order("delete", job, namespace, state, runs=purge)


def _order(verb: str, job: str, namespace: str, state: Path, **options: bool) -> None:
    from trivium.cli.ordering import place_order  # noqa: PLC0415 - loaded when the command runs, not for --help

    print(place_order(verb, job, namespace=namespace, state=state, **options))
