"""`trivium status`: the jobs of a state folder or a cluster, as kubectl would show them."""

from typing import Annotated

import typer

from trivium.cli.cluster.client_needed import require_client
from trivium.cli.cluster.target import ClusterTarget, choose_target
from trivium.cli.options import (
    DEFAULT_STATE,
    AllNamespacesOption,
    AsOption,
    ClusterFlag,
    ContextOption,
    KubeconfigOption,
    NamespaceOrContexts,
    OutputFormat,
    StateOption,
)

_JobOrAll = Annotated[str | None, typer.Argument(metavar="JOB", help="One job, in detail.")]
_Output = Annotated[OutputFormat, typer.Option("--output", "-o", help="table, wide, json or yaml.")]


def status(
    job: _JobOrAll = None,
    *,
    namespace: NamespaceOrContexts = None,
    state: StateOption = DEFAULT_STATE,
    output: _Output = OutputFormat.TABLE,
    cluster: ClusterFlag = False,
    kubeconfig: KubeconfigOption = None,
    context: ContextOption = None,
    all_namespaces: AllNamespacesOption = False,
    impersonate: AsOption = None,
) -> None:
    """Show jobs: all of a namespace, or one in detail."""
    target = choose_target(
        cluster=cluster,
        kubeconfig=kubeconfig,
        context=context,
        namespace=namespace,
        impersonate=impersonate,
        all_namespaces=all_namespaces,
    )
    if target is not None:
        _show_on_cluster(job, target, output)
        return
    from trivium.cli.show_status import show_status  # noqa: PLC0415 - loaded when the command runs, not for --help

    show_status(job, namespace=namespace or "default", state=state, output=output)


def cluster_status(
    job: _JobOrAll = None,
    *,
    namespace: NamespaceOrContexts = None,
    all_namespaces: AllNamespacesOption = False,
    output: _Output = OutputFormat.TABLE,
    kubeconfig: KubeconfigOption = None,
    context: ContextOption = None,
    impersonate: AsOption = None,
) -> None:
    """Show jobs: all of a namespace, or one in detail."""
    target = ClusterTarget(
        kubeconfig=kubeconfig,
        context=context,
        namespace=namespace,
        impersonate=impersonate,
        all_namespaces=all_namespaces,
    )
    _show_on_cluster(job, target, output)


def _show_on_cluster(job: str | None, target: ClusterTarget, output: OutputFormat) -> None:
    require_client()
    from trivium.cli.cluster.show_status import show_cluster_status  # noqa: PLC0415 - needs the Kubernetes client

    show_cluster_status(job, target, output=output)
