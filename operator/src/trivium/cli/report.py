"""`trivium report`: one HTML file that shows what a job, or a chain of jobs, did."""

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
    NamespaceOrContexts,
    StateOption,
)

_PATIENCE = 180.0
_Chain = Annotated[bool, typer.Option("--chain", help="With every job that the model went through.")]
_Output = Annotated[Path | None, typer.Option("--output", "-o", help="The HTML file to write.")]
_Open = Annotated[bool, typer.Option("--open", help="Show it in the browser.")]
_DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print the pod that would read the claim, create nothing; on a cluster only.")
]
_Timeout = Annotated[
    float, typer.Option("--timeout", metavar="SECONDS", min=1, help="On a cluster: how long the pod may take.")
]


def report(
    job: JobArgument,
    *,
    namespace: NamespaceOrContexts = None,
    state: StateOption = DEFAULT_STATE,
    chain: _Chain = False,
    output: _Output = None,
    open_browser: _Open = False,
    dry_run: _DryRun = False,
    timeout: _Timeout = _PATIENCE,
    cluster: ClusterFlag = False,
    kubeconfig: KubeconfigOption = None,
    context: ContextOption = None,
    impersonate: AsOption = None,
) -> None:
    """Write the report of a job as one HTML file."""
    target = choose_target(
        cluster=cluster,
        kubeconfig=kubeconfig,
        context=context,
        namespace=namespace,
        impersonate=impersonate,
        others={"--dry-run": dry_run},
    )
    if target is not None:
        _fetch(job, target, chain=chain, output=output, timeout=timeout, dry_run=dry_run, open_browser=open_browser)
        return
    from trivium.cli.write_report import write_report  # noqa: PLC0415 - loaded when the command runs, not for --help

    _tell(write_report(job, namespace=namespace or "default", state=state, chain=chain, output=output), open_browser)


def cluster_report(
    job: JobArgument,
    *,
    namespace: NamespaceOrContexts = None,
    chain: _Chain = False,
    output: _Output = None,
    open_browser: _Open = False,
    dry_run: _DryRun = False,
    timeout: _Timeout = _PATIENCE,
    kubeconfig: KubeconfigOption = None,
    context: ContextOption = None,
    impersonate: AsOption = None,
) -> None:
    """Write the report of a job as one HTML file, read off its claim by a pod of yours that lives for seconds."""
    target = ClusterTarget(kubeconfig=kubeconfig, context=context, namespace=namespace, impersonate=impersonate)
    _fetch(job, target, chain=chain, output=output, timeout=timeout, dry_run=dry_run, open_browser=open_browser)


def _fetch(
    job: str,
    target: ClusterTarget,
    *,
    chain: bool,
    output: Path | None,
    timeout: float,
    dry_run: bool,
    open_browser: bool,
) -> None:
    require_client()
    from trivium.cli.cluster.fetch_report import fetch_report, print_report_pod  # noqa: PLC0415 - needs the client

    if dry_run:
        print_report_pod(job, target, chain=chain, timeout=timeout)
    else:
        _tell(fetch_report(job, target, chain=chain, output=output, timeout=timeout), open_browser)


def _tell(path: Path, open_browser: bool) -> None:
    print(path)
    if open_browser:
        typer.launch(path.resolve().as_uri())
