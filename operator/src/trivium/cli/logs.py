"""`trivium logs`: what the trainer of a job printed."""

from typing import Annotated

import typer

from trivium.cli.cluster.client_needed import require_client
from trivium.cli.cluster.log_options import LogOptions
from trivium.cli.cluster.target import ClusterTarget, choose_target
from trivium.cli.options import (
    DEFAULT_STATE,
    AsOption,
    ClusterFlag,
    ContextOption,
    JobArgument,
    KubeconfigOption,
    NamespaceOrContexts,
    StateOption,
)

_Stage = Annotated[str | None, typer.Option("--stage", help="Only attempts of this stage.")]
_Attempt = Annotated[int | None, typer.Option("--attempt", help="Only this attempt, by its number.")]
_Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on as the job does, until it ends.")]
_AllPods = Annotated[
    bool, typer.Option("--all-pods", help="Ray's head and workers too, each line with its pod; on a cluster only.")
]
_Tail = Annotated[
    int | None,
    typer.Option("--tail", metavar="LINES", min=0, help="Only the last lines of each pod; on a cluster only."),
]
_Timestamps = Annotated[bool, typer.Option("--timestamps", help="The time before each line; on a cluster only.")]


def logs(
    job: JobArgument,
    *,
    namespace: NamespaceOrContexts = None,
    state: StateOption = DEFAULT_STATE,
    stage: _Stage = None,
    attempt: _Attempt = None,
    follow: _Follow = False,
    all_pods: _AllPods = False,
    tail: _Tail = None,
    timestamps: _Timestamps = False,
    cluster: ClusterFlag = False,
    kubeconfig: KubeconfigOption = None,
    context: ContextOption = None,
    impersonate: AsOption = None,
) -> None:
    """Show the log of a job's last attempt, or of the attempts that are named."""
    target = choose_target(
        cluster=cluster,
        kubeconfig=kubeconfig,
        context=context,
        namespace=namespace,
        impersonate=impersonate,
        others={"--all-pods": all_pods, "--tail": tail, "--timestamps": timestamps},
    )
    if target is not None:
        options = LogOptions(
            stage=stage, attempt=attempt, follow=follow, all_pods=all_pods, tail=tail, timestamps=timestamps
        )
        _show_from_cluster(job, target, options)
        return
    from trivium.cli.show_logs import show_logs  # noqa: PLC0415 - loaded when the command runs, not for --help

    show_logs(job, namespace=namespace or "default", state=state, stage=stage, attempt=attempt, follow=follow)


def cluster_logs(
    job: JobArgument,
    *,
    namespace: NamespaceOrContexts = None,
    stage: _Stage = None,
    attempt: _Attempt = None,
    follow: _Follow = False,
    all_pods: _AllPods = False,
    tail: _Tail = None,
    timestamps: _Timestamps = False,
    kubeconfig: KubeconfigOption = None,
    context: ContextOption = None,
    impersonate: AsOption = None,
) -> None:
    """Show what every rank of a job's last attempt printed, or of the attempt that is named."""
    target = ClusterTarget(kubeconfig=kubeconfig, context=context, namespace=namespace, impersonate=impersonate)
    options = LogOptions(
        stage=stage, attempt=attempt, follow=follow, all_pods=all_pods, tail=tail, timestamps=timestamps
    )
    _show_from_cluster(job, target, options)


def _show_from_cluster(job: str, target: ClusterTarget, options: LogOptions) -> None:
    require_client()
    from trivium.cli.cluster.show_logs import show_cluster_logs  # noqa: PLC0415 - needs the Kubernetes client

    show_cluster_logs(job, target, options)
