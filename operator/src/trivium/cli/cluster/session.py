"""One command's conversation with a cluster: opened, used, closed, its errors turned into sentences."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from trivium.cli.cluster.target import ClusterTarget
from trivium.cli.errors import CommandError
from trivium.cli.exit_codes import ExitCode
from trivium.kube.user_access import NoAccessError, UserAccess, UserTarget, open_user_access
from trivium.kube.user_requests import ForbiddenError, MissingKindError, UnknownUserError
from trivium.ports import ClusterError, NotFoundError, TransientError

T = TypeVar("T")


def on_cluster(target: ClusterTarget, work: Callable[[UserAccess], Awaitable[T]]) -> T:
    """Run `work` against the cluster. Raises CommandError for whatever a person can do something about."""
    wanted = UserTarget(
        kubeconfig=target.kubeconfig,
        context=target.context,
        namespace=target.namespace,
        impersonate=target.impersonate,
    )

    async def converse() -> T:
        async with open_user_access(wanted) as access:
            return await work(access)

    try:
        return asyncio.run(converse())
    except ClusterError as error:
        raise explain(error) from error


def explain(error: ClusterError) -> CommandError:
    """A cluster's refusal as a sentence with its way out."""
    text = str(error)
    match error:
        case NoAccessError():
            message, code = text, ExitCode.NO_ACCESS
        case UnknownUserError():
            message = f"the cluster does not know you ({text}). Log in again, or choose another --context."
            code = ExitCode.NO_ACCESS
        case ForbiddenError():
            message, code = f"{text}. {_role(text)}", ExitCode.NO_ACCESS
        case MissingKindError():
            message = f"{text}. Trivium is not installed there: ask the platform team, or choose another --context."
            code = ExitCode.NO_ACCESS
        case NotFoundError():
            message, code = text, ExitCode.NOT_FOUND
        case TransientError():
            message = f"{text}. Try again; `kubectl cluster-info` asks the same server."
            code = ExitCode.NO_ACCESS
        case _:
            message, code = text, ExitCode.INVALID
    return CommandError(message, code=code)


def _role(refusal: str) -> str:
    """Which role would allow it: Trivium's rules are aggregated into the cluster's own view and edit."""
    writes = any(f"cannot {verb} " in refusal for verb in ("create", "patch", "update", "delete"))
    role = "edit" if writes else "view"
    return (
        f"Ask whoever administers the namespace for the role `{role}` in it; `kubectl auth can-i --list` shows yours."
    )
