"""`trivium why`, `kubectl trivium why`: what keeps a job on a cluster from running."""

from typing import Annotated

import typer

from trivium.cli.cluster.client_needed import require_client
from trivium.cli.cluster.target import ClusterTarget
from trivium.cli.options import (
    AnswerFormat,
    AsOption,
    ContextOption,
    JobArgument,
    KubeconfigOption,
    NamespaceOrContexts,
)


def why(
    job: JobArgument,
    *,
    namespace: NamespaceOrContexts = None,
    output: Annotated[AnswerFormat, typer.Option("--output", "-o", help="text or json.")] = AnswerFormat.TEXT,
    kubeconfig: KubeconfigOption = None,
    context: ContextOption = None,
    impersonate: AsOption = None,
) -> None:
    """Say why a job on a cluster does not run, whose turn it is, and what to type next."""
    require_client()
    from trivium.cli.why.show import show_why  # noqa: PLC0415 - needs the Kubernetes client

    target = ClusterTarget(kubeconfig=kubeconfig, context=context, namespace=namespace, impersonate=impersonate)
    show_why(job, target, output=output)
