"""`kubectl trivium status`: the jobs of a namespace, or one in detail, as the API server holds them."""

import sys
from dataclasses import replace
from typing import Any

from rich.console import Console

from trivium.cli.cluster.jobs import event_time, get_job, list_events, list_jobs
from trivium.cli.cluster.session import on_cluster
from trivium.cli.cluster.target import ClusterTarget
from trivium.cli.detail import print_detail
from trivium.cli.errors import CommandError
from trivium.cli.exit_codes import ExitCode
from trivium.cli.job_table import print_jobs
from trivium.cli.job_view import JobView, view_job
from trivium.cli.objects import print_objects
from trivium.cli.options import OutputFormat
from trivium.kube.user_access import UserAccess


def show_cluster_status(job: str | None, target: ClusterTarget, *, output: OutputFormat) -> None:
    """Print one job or all. Raises CommandError."""
    if job is not None and target.all_namespaces:
        message = "--all-namespaces: shows every job. Leave JOB out, or name its namespace with -n."
        raise CommandError(message, code=ExitCode.USAGE)
    on_cluster(target, lambda access: _show(access, job, target, output))


async def _show(access: UserAccess, job: str | None, target: ClusterTarget, output: OutputFormat) -> None:
    if job is None:
        jobs = await list_jobs(access, all_namespaces=target.all_namespaces)
    else:
        jobs = [await get_job(access, job)]
    if output in (OutputFormat.JSON, OutputFormat.YAML):
        print_objects(jobs, single=job is not None, output=output)
    elif job is not None:
        await _print_one(access, jobs[0])
    elif not jobs:
        where = "any namespace" if target.all_namespaces else f"namespace {access.namespace}"
        print(f"No job in {where}.", file=sys.stderr)
    else:
        wide = output is OutputFormat.WIDE
        print_jobs(jobs, wide=wide, with_namespace=target.all_namespaces, console=Console(highlight=False))


async def _print_one(access: UserAccess, job: dict[str, Any]) -> None:
    found = await list_events(access, job)
    told = [
        {"at": event_time(event), "reason": event.get("reason") or "", "message": event.get("message") or ""}
        for event in found or ()
    ]
    view = view_job(job)
    console = Console(highlight=False)
    print_detail(job, replace(view, report=_report(view)), told, console=console)
    if found is None:
        print("You may not read the events of this namespace.", file=sys.stderr)
    if not view.has_ended and view.phase not in {"Running", "Preparing"}:
        console.print(f"\nWhy it does not run: kubectl trivium why {view.job} -n {view.namespace}", soft_wrap=True)


def _report(view: JobView) -> str | None:
    """How to get it: the claim is out of a person's reach."""
    return f"kubectl trivium report {view.job} -n {view.namespace}" if view.step else None
