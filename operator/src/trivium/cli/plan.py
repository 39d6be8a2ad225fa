"""`trivium plan`: does it fit, how long does it take, what does it cost; before anything runs, without a cluster."""

from pathlib import Path
from typing import Annotated

import typer

from trivium.cli.options import DEFAULT_STATE, FilesArgument, RunFormat, StateOption


def plan(
    files: FilesArgument,
    *,
    gpus: Annotated[
        str | None,
        typer.Option(
            "--gpus",
            metavar="MACHINES",
            help="Machines to compare instead of the files' profiles: 8xh100,16x24Gi, or 8x80Gi@989 with peak TFLOPS.",
        ),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option("--model", metavar="PATH", help="A model's folder or config.json, for jobs that start from one."),
    ] = None,
    state: StateOption = DEFAULT_STATE,
    explain: Annotated[bool, typer.Option("--explain", help="Say why each choice was made.")] = False,
    output: Annotated[RunFormat, typer.Option("--output", "-o", help="text, or json for tools.")] = RunFormat.TEXT,
) -> None:
    """Plan jobs: memory, time, cost and alternatives. Files may hold jobs and ComputeProfiles.

    Without a profile and without --gpus: this machine, with what its finished jobs have taught. Exit code 0: every job
    fits somewhere. 64: one does not.
    """
    from trivium.cli.plan_session import PlanOptions, plan_session  # noqa: PLC0415 - not for --help

    options = PlanOptions(
        files=tuple(files),
        gpus=gpus,
        model=model,
        state=state,
        explain=explain,
        as_json=output is RunFormat.JSON,
    )
    raise typer.Exit(plan_session(options))
