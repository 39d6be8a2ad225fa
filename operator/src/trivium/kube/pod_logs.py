"""What a container printed, line by line, with a person's own rights (`get` on pods/log)."""

from collections.abc import AsyncIterator

from trivium.kube.user_access import UserAccess
from trivium.kube.user_requests import stream_lines
from trivium.kube.user_resources import POD


async def read_pod_log(
    access: UserAccess,
    *,
    namespace: str,
    pod: str,
    container: str,
    follow: bool = False,
    tail_lines: int | None = None,
    since_time: str | None = None,
    timestamps: bool = False,
) -> AsyncIterator[str]:
    """The lines of one container, and with `follow` those to come until it ends. `since_time` is in RFC 3339.

    Raises NotFoundError for a pod that is gone, RefusedError for a container that has not started.
    """
    query = {
        "container": container,
        "follow": "true" if follow else "",
        "tailLines": "" if tail_lines is None else str(tail_lines),
        "sinceTime": since_time or "",
        "timestamps": "true" if timestamps else "",
    }
    async for line in stream_lines(access, POD.path(namespace, pod, subresource="log"), query=query):
        yield line
