"""`kubectl trivium report`: a pod is made, printed from, and removed."""

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trivium.cli.cluster.jobs import get_job
from trivium.cli.cluster.report_pod import CONTAINER, open_envelope, profile_name, report_pod
from trivium.cli.cluster.session import on_cluster
from trivium.cli.cluster.target import ClusterTarget
from trivium.cli.errors import CommandError
from trivium.cli.exit_codes import ExitCode
from trivium.cli.job_address import address_of
from trivium.domain.pod_evidence import read_pod_evidence
from trivium.kube.patch import create_pod, delete_pod
from trivium.kube.pod_logs import read_pod_log
from trivium.kube.user_access import UserAccess
from trivium.kube.user_requests import ForbiddenError, get_object
from trivium.kube.user_resources import COMPUTE_PROFILE, POD
from trivium.local.snapshots import replace_file
from trivium.ports import Manifest, NotFoundError, TransientError

_POLL_SECONDS = 1.0


def fetch_report(job: str, target: ClusterTarget, *, chain: bool, output: Path | None, timeout: float) -> Path:
    """Write the page; the file's path. Raises CommandError."""
    return on_cluster(target, lambda access: _fetch(access, job, chain=chain, output=output, timeout_seconds=timeout))


def print_report_pod(job: str, target: ClusterTarget, *, chain: bool, timeout: float) -> None:
    """Print the pod as YAML instead of creating it."""
    import yaml  # noqa: PLC0415 - only this needs it

    pod = on_cluster(target, lambda access: _pod_of(access, job, chain=chain, timeout_seconds=timeout))
    yaml.safe_dump(pod, sys.stdout, sort_keys=False, width=120)


async def _pod_of(access: UserAccess, address: str, *, chain: bool, timeout_seconds: float) -> dict[str, Any]:
    job = await get_job(access, address)
    profile = await _profile(access, profile_name(job))
    return report_pod(job, chain=chain, profile=profile, deadline_seconds=int(timeout_seconds))


async def _profile(access: UserAccess, name: str) -> Mapping[str, Any] | None:
    try:
        found = await get_object(access, COMPUTE_PROFILE, namespace=None, name=name)
    except (ForbiddenError, NotFoundError):
        return None
    spec: Mapping[str, Any] = found["spec"]
    return spec


async def _fetch(access: UserAccess, address: str, *, chain: bool, output: Path | None, timeout_seconds: float) -> Path:
    manifest = await _pod_of(access, address, chain=chain, timeout_seconds=timeout_seconds)
    pod = await create_pod(access, manifest)
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    print(f"Pod {namespace}/{name} reads the report off the claim; it is removed when it has.", file=sys.stderr)
    try:
        page = await _read_page(access, pod, timeout_seconds=timeout_seconds)
    finally:
        await delete_pod(access, namespace=namespace, name=name, uid=pod["metadata"]["uid"])
    owner = manifest["metadata"]["ownerReferences"][0]["name"]
    path = output or Path(f"{owner}{'-chain' if chain else ''}-report.html")
    replace_file(path, page)
    return path


async def _read_page(access: UserAccess, pod: Manifest, *, timeout_seconds: float) -> str:
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    waiting = _Waiting(pod)
    try:
        async with asyncio.timeout(timeout_seconds):
            await waiting.for_the_end(access)
    except TimeoutError as error:
        message = f"the report's pod {name} has not ended after {timeout_seconds:g} seconds. {waiting.trouble}".rstrip()
        raise CommandError(message, code=ExitCode.TIMED_OUT) from error
    lines = [line async for line in read_pod_log(access, namespace=namespace, pod=name, container=CONTAINER)]
    try:
        return open_envelope(lines)
    except ValueError as error:
        message = f"{address_of_owner(pod)}: its report could not be read: {error}"
        raise CommandError(message, code=ExitCode.NOT_FOUND) from error


class _Waiting:
    """For a pod to end, and what it complains about meanwhile."""

    def __init__(self, pod: Manifest) -> None:
        self._pod = pod
        self.trouble = ""

    async def for_the_end(self, access: UserAccess) -> None:
        """Returns when the pod has ended, either way."""
        metadata = self._pod["metadata"]
        while (self._pod.get("status") or {}).get("phase") not in {"Succeeded", "Failed"}:
            self._look()
            await asyncio.sleep(_POLL_SECONDS)
            try:
                self._pod = await get_object(access, POD, namespace=metadata["namespace"], name=metadata["name"])
            except TransientError as error:
                print(f"  {error}. Trying again.", file=sys.stderr)

    def _look(self) -> None:
        evidence = read_pod_evidence(self._pod)
        trouble = evidence.image_error or evidence.configuration_error or evidence.unschedulable or ""
        if trouble and trouble != self.trouble:
            print(f"  {trouble}", file=sys.stderr)
        self.trouble = trouble


def address_of_owner(pod: Manifest) -> str:
    """The job that a report's pod was made for."""
    owner = pod["metadata"]["ownerReferences"][0]
    return address_of({"kind": owner["kind"], "metadata": {"name": owner["name"]}})
