"""Arguments and options that several commands share, declared once."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

DEFAULT_STATE = Path(".trivium")


class OutputFormat(StrEnum):
    """Of commands that show objects."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"


class RunFormat(StrEnum):
    """Of commands that tell what happens."""

    TEXT = "text"
    JSON = "json"


StateOption = Annotated[
    Path, typer.Option("--state", envvar="TRIVIUM_STATE", help="Folder of the embedded cluster's state.")
]
NamespaceOption = Annotated[str, typer.Option("--namespace", "-n", help="Namespace of the jobs.")]
JobArgument = Annotated[str, typer.Argument(metavar="JOB", help="sft/my-job, SFTJob/my-job, or a name that is unique.")]
FilesArgument = Annotated[
    list[Path], typer.Argument(metavar="FILE...", help="Manifests; several documents a file; - is standard input.")
]
