"""`trivium status`: the jobs of a state folder, as kubectl would show them."""

from typing import Annotated

import typer

from trivium.cli.options import DEFAULT_STATE, NamespaceOption, OutputFormat, StateOption


def status(
    job: Annotated[str | None, typer.Argument(metavar="JOB", help="One job, in detail.")] = None,
    *,
    namespace: NamespaceOption = "default",
    state: StateOption = DEFAULT_STATE,
    output: Annotated[
        OutputFormat, typer.Option("--output", "-o", help="table, wide, json or yaml.")
    ] = OutputFormat.TABLE,
) -> None:
    """Show jobs: all of a namespace, or one in detail."""
    from trivium.cli.show_status import show_status  # noqa: PLC0415 - loaded when the command runs, not for --help

    show_status(job, namespace=namespace, state=state, output=output)
