"""`trivium report`: one HTML file that shows what a job, or a chain of jobs, did."""

from pathlib import Path
from typing import Annotated

import typer

from trivium.cli.options import DEFAULT_STATE, JobArgument, NamespaceOption, StateOption


def report(
    job: JobArgument,
    *,
    namespace: NamespaceOption = "default",
    state: StateOption = DEFAULT_STATE,
    chain: Annotated[bool, typer.Option("--chain", help="With every job that the model went through.")] = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The HTML file to write.")] = None,
    open_browser: Annotated[bool, typer.Option("--open", help="Show it in the browser.")] = False,
) -> None:
    """Write the report of a job as one HTML file."""
    from trivium.cli.write_report import write_report  # noqa: PLC0415 - loaded when the command runs, not for --help

    path = write_report(job, namespace=namespace, state=state, chain=chain, output=output)
    print(path)
    if open_browser:
        typer.launch(path.resolve().as_uri())
