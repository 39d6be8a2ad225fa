"""Reads what is around a job, as far as the person who asks may read it."""

import asyncio
from collections.abc import Mapping
from typing import Any

from trivium.cli.cluster.jobs import event_time, get_job
from trivium.cli.why.facts import Facts, Seen
from trivium.cli.why.judge_operator import LEASE_NAME
from trivium.cli.why.webhooks import see_webhooks
from trivium.domain.workload import JOB_UID_LABEL
from trivium.kube.served_kinds import LEASE, ServedKind
from trivium.kube.user_access import UserAccess
from trivium.kube.user_requests import ForbiddenError, MissingKindError, get_object, list_objects, read_server_time
from trivium.kube.user_resources import (
    COMPUTE_PROFILE,
    EVENT,
    JOBS,
    LOCAL_QUEUE,
    POD,
    RAY_JOB,
    WORKLOAD,
)
from trivium.ports import Manifest, NotFoundError
from trivium.render.names import JOB_UID, QUEUE_NAME, RUN


async def gather_facts(access: UserAccess, address: str, *, flags: str) -> Facts:
    """One look at everything. Raises CommandError where there is no such job."""
    job = await get_job(access, address)
    namespace = job["metadata"]["namespace"]
    attempt = _living(job)
    now, leases, profiles, upstream, ray_job = await asyncio.gather(
        read_server_time(access),
        _see_all(access, LEASE, namespace=None, fields=f"metadata.name={LEASE_NAME}"),
        _see_all(access, COMPUTE_PROFILE, namespace=None),
        _see_upstream(access, job),
        _see_one(access, RAY_JOB, namespace=namespace, name=attempt.get("rayJob")),
    )
    workload, queue, pods, warnings, webhooks = await asyncio.gather(
        _see_workload(access, ray_job),
        _see_one(access, LOCAL_QUEUE, namespace=namespace, name=_queue_of(attempt, ray_job)),
        _see_pods(access, job, attempt),
        _see_all(access, EVENT, namespace=namespace, fields="type=Warning"),
        see_webhooks(access) if attempt and ray_job.surely_absent else _nothing(),
    )
    return Facts(
        job=job,
        now=now,
        flags=flags,
        leases=leases,
        profiles=profiles,
        upstream=upstream,
        ray_job=ray_job,
        workload=workload,
        local_queue=queue,
        pods=pods,
        warnings=_about(warnings, job, ray_job, pods),
        webhooks=webhooks,
    )


async def _nothing() -> tuple[()]:
    return ()


def _living(job: Manifest) -> Mapping[str, Any]:
    attempts = (job.get("status") or {}).get("attempts") or ()
    return attempts[-1] if attempts and attempts[-1].get("endedAt") is None else {}


async def _see_all(
    access: UserAccess, resource: ServedKind, *, namespace: str | None, labels: str = "", fields: str = ""
) -> Seen:
    try:
        return Seen(objects=await list_objects(access, resource, namespace=namespace, labels=labels, fields=fields))
    except ForbiddenError:
        return Seen(readable=False)
    except MissingKindError:
        return Seen(served=False)


async def _see_one(access: UserAccess, resource: ServedKind, *, namespace: str, name: str | None) -> Seen:
    """None is named: none is seen. An absent object and an absent kind are both 404, so the kind is asked for."""
    if not name:
        return Seen(readable=False)
    try:
        return Seen(objects=(await get_object(access, resource, namespace=namespace, name=name),))
    except ForbiddenError:
        return Seen(readable=False)
    except NotFoundError:
        seen = await _see_all(access, resource, namespace=namespace, fields=f"metadata.name={name}")
        return Seen(readable=True, served=seen.served)


async def _see_upstream(access: UserAccess, job: Manifest) -> Seen:
    reference = ((job["spec"].get("model") or {}).get("from") or {}).get("job") or {}
    if reference.get("kind") not in JOBS:
        return Seen()
    namespace = job["metadata"]["namespace"]
    return await _see_one(access, JOBS[reference["kind"]], namespace=namespace, name=reference.get("name"))


async def _see_workload(access: UserAccess, ray_job: Seen) -> Seen:
    """Of the RayJob's uid; without one, only whether Kueue is there."""
    found = ray_job.first
    namespace = found["metadata"]["namespace"] if found is not None else access.namespace
    uid = found["metadata"]["uid"] if found is not None else "none"
    return await _see_all(access, WORKLOAD, namespace=namespace, labels=f"{JOB_UID_LABEL}={uid}")


def _queue_of(attempt: Mapping[str, Any], ray_job: Seen) -> str | None:
    labels = (ray_job.first or {}).get("metadata", {}).get("labels") or {}
    return attempt.get("queue") or labels.get(QUEUE_NAME)


async def _see_pods(access: UserAccess, job: Manifest, attempt: Mapping[str, Any]) -> Seen:
    if not attempt:
        return Seen()
    run = attempt.get("run") or attempt["number"]
    labels = f"{JOB_UID}={job['metadata']['uid']},{RUN}={run}"
    return await _see_all(access, POD, namespace=job["metadata"]["namespace"], labels=labels)


def _about(warnings: Seen, job: Manifest, ray_job: Seen, pods: Seen) -> Seen:
    """Only what regards the job and its children, oldest first."""
    found = ray_job.first or {}
    cluster = (found.get("status") or {}).get("rayClusterName")
    names = {(one["kind"], one["metadata"]["name"]) for one in (job, *ray_job.objects, *pods.objects)}
    names |= {("RayCluster", cluster)} if cluster else set()
    chosen = [one for one in warnings.objects if _regarding(one) in names]
    return Seen(objects=sorted(chosen, key=event_time), readable=warnings.readable)


def _regarding(event: Manifest) -> tuple[Any, Any]:
    regarding = event.get("involvedObject") or {}
    return regarding.get("kind"), regarding.get("name")
