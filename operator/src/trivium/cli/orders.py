"""`trivium suspend | resume | delete`: orders that the process at work carries out, or this one if there is none;
on a cluster `suspend` and `resume` change the spec.
"""

from pathlib import Path
from typing import Annotated

import typer

from trivium.cli.cluster.client_needed import require_client
from trivium.cli.cluster.target import ClusterTarget, choose_target
from trivium.cli.options import (
    DEFAULT_STATE,
    AsOption,
    ClusterFlag,
    ContextOption,
    JobArgument,
    KubeconfigOption,
    NamespaceOption,
    NamespaceOrContexts,
    StateOption,
    TimeoutOption,
    WaitOption,
)

_PATIENCE = 600.0


def suspend(
    job: JobArgument,
    *,
    namespace: NamespaceOrContexts = None,
    state: StateOption = DEFAULT_STATE,
    wait: WaitOption = False,
    timeout: TimeoutOption = _PATIENCE,
    cluster: ClusterFlag = False,
    kubeconfig: KubeconfigOption = None,
    context: ContextOption = None,
    impersonate: AsOption = None,
) -> None:
    """Save a checkpoint and stop; `trivium resume` goes on from there."""
    target = choose_target(
        cluster=cluster,
        kubeconfig=kubeconfig,
        context=context,
        namespace=namespace,
        impersonate=impersonate,
        others={"--wait": wait},
    )
    if target is None:
        _order("suspend", job, namespace or "default", state)
    else:
        _set(job, target, suspend=True, wait=wait, timeout=timeout)


def resume(
    job: JobArgument,
    *,
    namespace: NamespaceOrContexts = None,
    state: StateOption = DEFAULT_STATE,
    wait: WaitOption = False,
    timeout: TimeoutOption = _PATIENCE,
    cluster: ClusterFlag = False,
    kubeconfig: KubeconfigOption = None,
    context: ContextOption = None,
    impersonate: AsOption = None,
) -> None:
    """Let a suspended job go on."""
    target = choose_target(
        cluster=cluster,
        kubeconfig=kubeconfig,
        context=context,
        namespace=namespace,
        impersonate=impersonate,
        others={"--wait": wait},
    )
    if target is None:
        _order("resume", job, namespace or "default", state)
    else:
        _set(job, target, suspend=False, wait=wait, timeout=timeout)


def delete(
    job: JobArgument,
    *,
    namespace: NamespaceOption = "default",
    state: StateOption = DEFAULT_STATE,
    purge: Annotated[
        bool, typer.Option("--purge", help="Remove checkpoints, report and model of the job too.")
    ] = False,
) -> None:
    """Delete a job. What it wrote stays, unless --purge is given; nothing is saved first: suspend does that."""
    _order("delete", job, namespace, state, runs=purge)


def cluster_suspend(
    job: JobArgument,
    *,
    namespace: NamespaceOrContexts = None,
    wait: WaitOption = False,
    timeout: TimeoutOption = _PATIENCE,
    kubeconfig: KubeconfigOption = None,
    context: ContextOption = None,
    impersonate: AsOption = None,
) -> None:
    """Save a checkpoint, then free every GPU; `kubectl trivium resume` goes on from there."""
    target = ClusterTarget(kubeconfig=kubeconfig, context=context, namespace=namespace, impersonate=impersonate)
    _set(job, target, suspend=True, wait=wait, timeout=timeout)


def cluster_resume(
    job: JobArgument,
    *,
    namespace: NamespaceOrContexts = None,
    wait: WaitOption = False,
    timeout: TimeoutOption = _PATIENCE,
    kubeconfig: KubeconfigOption = None,
    context: ContextOption = None,
    impersonate: AsOption = None,
) -> None:
    """Let a suspended job go on from its last checkpoint."""
    target = ClusterTarget(kubeconfig=kubeconfig, context=context, namespace=namespace, impersonate=impersonate)
    _set(job, target, suspend=False, wait=wait, timeout=timeout)


def _order(verb: str, job: str, namespace: str, state: Path, **options: bool) -> None:
    from trivium.cli.ordering import place_order  # noqa: PLC0415 - loaded when the command runs, not for --help

    print(place_order(verb, job, namespace=namespace, state=state, **options))


def _set(job: str, target: ClusterTarget, *, suspend: bool, wait: bool, timeout: float) -> None:
    require_client()
    from trivium.cli.cluster.suspension import set_suspension  # noqa: PLC0415 - needs the Kubernetes client

    set_suspension(job, target, suspend=suspend, wait=wait, timeout=timeout)
