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


class AnswerFormat(StrEnum):
    """Of commands that answer a question."""

    TEXT = "text"
    JSON = "json"


class RunFormat(StrEnum):
    """Of commands that tell what happens."""

    TEXT = "text"
    JSON = "json"


StateOption = Annotated[
    Path, typer.Option("--state", envvar="TRIVIUM_STATE", help="Folder of the embedded cluster's state.")
]
NamespaceOption = Annotated[str, typer.Option("--namespace", "-n", help="Namespace of the jobs.")]
NamespaceOrContexts = Annotated[
    str | None,
    typer.Option("--namespace", "-n", help="Namespace of the jobs. On a cluster the context's, else `default`."),
]
ClusterFlag = Annotated[
    bool, typer.Option("--cluster", help="Ask the cluster of the current kubeconfig context, not the state folder.")
]
KubeconfigOption = Annotated[
    Path | None, typer.Option("--kubeconfig", metavar="FILE", help="Kubeconfig; default $KUBECONFIG or ~/.kube/config.")
]
ContextOption = Annotated[str | None, typer.Option("--context", metavar="NAME", help="Context of the kubeconfig.")]
AsOption = Annotated[
    str | None, typer.Option("--as", metavar="USER", help="Ask as this user, if you may impersonate them.")
]
AllNamespacesOption = Annotated[bool, typer.Option("--all-namespaces", "-A", help="Jobs of every namespace.")]
WaitOption = Annotated[bool, typer.Option("--wait", help="Return when it has happened; on a cluster only.")]
TimeoutOption = Annotated[
    float, typer.Option("--timeout", metavar="SECONDS", min=1, help="With --wait: give up after this long.")
]
JobArgument = Annotated[str, typer.Argument(metavar="JOB", help="sft/my-job, SFTJob/my-job, or a name that is unique.")]
FilesArgument = Annotated[
    list[Path], typer.Argument(metavar="FILE...", help="Manifests; several documents a file; - is standard input.")
]
