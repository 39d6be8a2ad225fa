"""Jobs and their events, read from the API server."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from trivium.cli.job_address import find_job
from trivium.kube.user_access import UserAccess
from trivium.kube.user_requests import ForbiddenError, get_object, list_objects
from trivium.kube.user_resources import EVENT, JOBS
from trivium.ports import Manifest


async def list_jobs(access: UserAccess, *, all_namespaces: bool = False) -> list[dict[str, Any]]:
    """Every job of the namespace or of all, by namespace, kind and name."""
    namespace = None if all_namespaces else access.namespace
    asked = (list_objects(access, JOBS[kind], namespace=namespace) for kind in JOBS)
    order = {kind: number for number, kind in enumerate(JOBS)}
    jobs: list[dict[str, Any]] = []
    for answer in await asyncio.gather(*asked, return_exceptions=True):
        if isinstance(answer, BaseException):
            raise answer  # the first in our order, whichever came first: the same words each time
        jobs += answer
    return sorted(jobs, key=lambda job: _place(job, order))


def _place(job: Manifest, order: Mapping[str, int]) -> tuple[str, int, str]:
    return job["metadata"]["namespace"], order[job["kind"]], job["metadata"]["name"]


async def get_job(access: UserAccess, address: str) -> dict[str, Any]:
    """The one job that is meant, in the namespace. Raises CommandError for none and for several."""
    return dict(find_job(address, await list_jobs(access), namespace=access.namespace, start="kubectl apply -f FILE"))


async def read_again(access: UserAccess, job: Manifest) -> dict[str, Any]:
    """The same job as it is now. Raises NotFoundError."""
    metadata = job["metadata"]
    return await get_object(access, JOBS[job["kind"]], namespace=metadata["namespace"], name=metadata["name"])


async def list_events(access: UserAccess, about: Manifest) -> Sequence[dict[str, Any]] | None:
    """The events about an object, oldest first; None if this person may not read events."""
    metadata = about["metadata"]
    fields = f"involvedObject.uid={metadata['uid']}"
    try:
        events = await list_objects(access, EVENT, namespace=metadata["namespace"], fields=fields)
    except ForbiddenError:
        return None
    return sorted(events, key=event_time)


def event_time(event: Mapping[str, Any]) -> str:
    """When an event last happened, in whichever of its four fields its writer chose."""
    series = event.get("series") or {}
    candidates = (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"))
    return str(next((one for one in candidates if one), event["metadata"].get("creationTimestamp") or ""))
