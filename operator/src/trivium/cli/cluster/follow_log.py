"""One container's log to its end, over broken connections: every line once."""

import asyncio
from collections.abc import Callable

from trivium.cli.cluster.log_sources import LogSource
from trivium.kube.pod_logs import read_pod_log
from trivium.kube.user_access import UserAccess
from trivium.ports import NotFoundError, RefusedError, TransientError

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
            async for stamped in read_pod_log(
                access,
                namespace=namespace,
                pod=source.pod,
                container=source.container,
                follow=True,
                tail_lines=tail if not last else None,
                since_time=last or None,
                timestamps=True,
            ):
                at, _, text = stamped.partition(" ")
                if at <= last:
                    continue
                last, tries = at, 0
                say(stamped if timestamps else text)
        except TransientError:
            tries += 1
            if tries > _TRIES:
                raise
            await asyncio.sleep(_AGAIN_SECONDS)
        except (NotFoundError, RefusedError) as error:
            if isinstance(error, NotFoundError) or last:
                return
            raise
        else:
            return
