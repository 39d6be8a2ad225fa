"""`trivium validate`: the API server's verdicts without an API server."""

from typing import Annotated

import typer

from trivium.cli.options import FilesArgument, RunFormat


def validate(
    files: FilesArgument,
    output: Annotated[RunFormat, typer.Option("--output", "-o", help="text, or json for tools.")] = RunFormat.TEXT,
) -> None:
    """Check manifests: file, line, field, value, rule, way out. Exit code 3 if anything is wrong."""
    from trivium.cli.manifests import check_files  # noqa: PLC0415 - loaded when the command runs, not for --help

    raise typer.Exit(check_files(files, as_json=output is RunFormat.JSON))
