"""`trivium logs`: what the trainer of a job printed."""

from typing import Annotated

import typer

from trivium.cli.options import DEFAULT_STATE, JobArgument, NamespaceOption, StateOption


def logs(
    job: JobArgument,
    *,
    namespace: NamespaceOption = "default",
    state: StateOption = DEFAULT_STATE,
    stage: Annotated[str | None, typer.Option("--stage", help="Only attempts of this stage.")] = None,
    attempt: Annotated[int | None, typer.Option("--attempt", help="Only this attempt, by its number.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as the job does, until it ends.")] = False,
) -> None:
    """Show the log of a job's last attempt, or of the attempts that are named."""
    from trivium.cli.show_logs import show_logs  # noqa: PLC0415 - loaded when the command runs, not for --help

    show_logs(job, namespace=namespace, state=state, stage=stage, attempt=attempt, follow=follow)
