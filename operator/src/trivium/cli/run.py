"""`trivium run`: jobs from manifests to models, on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from trivium.cli.options import DEFAULT_STATE, NamespaceOption, RunFormat, StateOption


def run(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE...", help="Manifests. Without any: go on with what is not finished."),
    ] = None,
    *,
    namespace: NamespaceOption = "default",
    state: StateOption = DEFAULT_STATE,
    output: Annotated[
        RunFormat, typer.Option("--output", "-o", help="text, or json: an object a change.")
    ] = RunFormat.TEXT,
    claim: Annotated[
        list[str] | None,
        typer.Option("--claim", metavar="NAME=FOLDER", help="Folder that stands for a PersistentVolumeClaim."),
    ] = None,
    follow_logs: Annotated[bool, typer.Option("--follow-logs", help="Show what the trainers print, too.")] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Forget these jobs first, with everything that they wrote.")
    ] = False,
) -> None:
    """Run jobs on this machine until they are done. Ctrl-C stops; running again goes on where it was.

    Exit code 0: every job succeeded. 64-82: the class of the first failure. 90: suspended. 130: interrupted.
    """
    from trivium.cli.run_session import RunOptions, run_session  # noqa: PLC0415 - not for --help

    options = RunOptions(
        files=tuple(files or ()),
        namespace=namespace,
        state=state,
        as_json=output is RunFormat.JSON,
        claims=tuple(claim or ()),
        follow_logs=follow_logs,
        fresh=fresh,
    )
    raise typer.Exit(run_session(options))
