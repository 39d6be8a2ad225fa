"""One container's log to its end, over broken connections: every line once."""

import asyncio
from collections.abc import AsyncIterator, Callable

from trivium.cli.cluster.log_sources import LogSource
from trivium.kube.pod_logs import read_pod_log
from trivium.kube.user_access import UserAccess
from trivium.kube.user_requests import get_object
from trivium.kube.user_resources import POD
from trivium.ports import NotFoundError, TransientError

_AGAIN_SECONDS = 1.0
_TRIES = 30
"""An API server that restarts is back within this many seconds; a node that does not answer is lost."""


async def follow_log(
    access: UserAccess,
    source: LogSource,
    *,
    namespace: str,
    tail: int | None,
    timestamps: bool,
    say: Callable[[str], None],
) -> None:
    """Say each line until the container has ended or its pod is gone.

    Lines are asked for with their times: after a break the log goes on from the last one. Raises TransientError when
    the log stays out of reach.
    """
    last, tries = "", 0
    while True:
        try:
            async for stamped in _follow_once(access, source, namespace=namespace, tail=tail, last=last):
                at, _, text = stamped.partition(" ")
                if at <= last:
                    continue
                last, tries = at, 0
                say(stamped if timestamps else text)
            # A log that ends is no proof: it ends as well where a node's connection breaks or its file is rotated.
            if not await _is_running(access, source, namespace=namespace):
                return
        except NotFoundError:
            return
        except TransientError:
            tries += 1
            if tries > _TRIES:
                raise
        await asyncio.sleep(_AGAIN_SECONDS)


def _follow_once(
    access: UserAccess, source: LogSource, *, namespace: str, tail: int | None, last: str
) -> AsyncIterator[str]:
    return read_pod_log(
        access,
        namespace=namespace,
        pod=source.pod,
        container=source.container,
        follow=True,
        tail_lines=None if last else tail,
        since_time=last or None,
        timestamps=True,
    )


async def _is_running(access: UserAccess, source: LogSource, *, namespace: str) -> bool:
    """Raises NotFoundError for a pod that is gone."""
    pod = await get_object(access, POD, namespace=namespace, name=source.pod)
    states = (pod.get("status") or {}).get("containerStatuses") or ()
    return any(one["name"] == source.container and "running" in (one.get("state") or {}) for one in states)
