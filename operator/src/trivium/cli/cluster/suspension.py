"""`kubectl trivium suspend | resume`: one field of the spec, and what the operator makes of it."""

import asyncio
import sys
from collections.abc import Mapping
from typing import Any

from trivium.cli.cluster.jobs import get_job, read_again
from trivium.cli.cluster.session import on_cluster
from trivium.cli.cluster.target import ClusterTarget
from trivium.cli.errors import CommandError
from trivium.cli.exit_codes import ExitCode
from trivium.cli.job_address import address_of
from trivium.cli.job_view import view_job
from trivium.kube.patch import patch_object
from trivium.kube.user_access import UserAccess
from trivium.kube.user_resources import JOBS
from trivium.ports import Manifest, TransientError

_POLL_SECONDS = 1.0


def set_suspension(job: str, target: ClusterTarget, *, suspend: bool, wait: bool, timeout: float) -> None:
    """Say what was done. Raises CommandError, with `wait` also if it has not happened after `timeout` seconds."""
    on_cluster(target, lambda access: _set(access, job, suspend=suspend, wait=wait, timeout_seconds=timeout))


async def _set(access: UserAccess, address: str, *, suspend: bool, wait: bool, timeout_seconds: float) -> None:
    job = await get_job(access, address)
    name = address_of(job)
    if suspend and view_job(job).has_ended:
        message = f"{name} is over ({view_job(job).phase}): there is nothing to suspend."
        raise CommandError(message, code=ExitCode.INVALID)
    if bool((job["spec"].get("runPolicy") or {}).get("suspend")) == suspend:
        print(f"{name} is {'suspended' if suspend else 'resumed'} already.")
    else:
        job = await patch_object(
            access,
            JOBS[job["kind"]],
            namespace=job["metadata"]["namespace"],
            name=job["metadata"]["name"],
            change={"spec": {"runPolicy": {"suspend": suspend}}},
        )
        print(f"{name} {'saves a checkpoint and stops' if suspend else 'goes on'}.")
    if not wait:
        return
    try:
        async with asyncio.timeout(timeout_seconds):
            await _wait(access, job, suspend=suspend)
    except TimeoutError as error:
        what = "suspended" if suspend else "running"
        message = (
            f"{name} is not {what} after {timeout_seconds:g} seconds; it may still be. "
            f"kubectl trivium why {name} -n {job['metadata']['namespace']} says what it waits for."
        )
        raise CommandError(message, code=ExitCode.TIMED_OUT) from error


async def _wait(access: UserAccess, job: Manifest, *, suspend: bool) -> None:
    said = ""
    while True:
        verdict = judge_wait(job, suspend=suspend)
        if verdict is not None:
            print(verdict)
            return
        message = view_job(job).message
        if message != said:
            said = message
            print(f"  {message}", file=sys.stderr)
        await asyncio.sleep(_POLL_SECONDS)
        try:
            job = await read_again(access, job)
        except TransientError as error:
            print(f"  {error}. Trying again.", file=sys.stderr)


def judge_wait(job: Manifest, *, suspend: bool) -> str | None:
    """The last word once the wait is over, None while it goes on. Raises CommandError for an end that nobody wished.

    A status that was concluded from an older spec says nothing about this one.
    """
    status: Mapping[str, Any] = job.get("status") or {}
    name, view = address_of(job), view_job(job)
    if int(status.get("observedGeneration") or 0) < int(job["metadata"].get("generation") or 0):
        return None
    if view.phase == "Failed":
        failure = view.failure
        why = f": {failure.reason}: {failure.message}" if failure is not None else ""
        raise CommandError(f"{name} has failed{why}", code=ExitCode.INVALID)
    if view.phase == "Succeeded":
        return f"{name} has succeeded meanwhile."
    conditions = {one["type"]: one["status"] for one in status.get("conditions") or ()}
    if suspend:
        if view.phase != "Suspended":
            return None
        step = (status.get("checkpoint") or {}).get("step")
        saved = f" at step {step}" if step is not None else ""
        return f"{name} is suspended{saved} and holds nothing."
    return f"{name} is running." if conditions.get("Running") == "True" else None
