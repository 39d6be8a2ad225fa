"""Requests with a person's own rights: lists with selectors, reads, writes and streams of raw JSON, errors typed.

The operator's `cluster.py` serves reconcile: fixed kinds, every namespace, our field manager. A person reads other
kinds, one namespace, and must be told exactly what they may not do.
"""

import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
from kubernetes.aio.client.exceptions import ApiException

from trivium.kube.client import given_query, message_of
from trivium.kube.served_kinds import ServedKind
from trivium.kube.user_access import UserAccess
from trivium.ports import ClusterError, ConflictError, NotFoundError, RefusedError, TransientError

_PAGE = 500
_SECONDS = 15.0
"""For one request: a person waits, and would rather be told."""
_CONNECT_SECONDS = 10.0


class ForbiddenError(RefusedError):
    """403: this person may not do that. The text is the API server's: who, what, where."""


class UnknownUserError(RefusedError):
    """401: the credentials are missing, wrong or expired."""


class MissingKindError(NotFoundError):
    """The server does not serve this kind: its CustomResourceDefinition is not installed."""


_ERRORS: Mapping[int, type[ClusterError]] = {
    401: UnknownUserError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    410: NotFoundError,
    408: TransientError,
    429: TransientError,
}


async def list_objects(
    access: UserAccess, resource: ServedKind, *, namespace: str | None = None, labels: str = "", fields: str = ""
) -> list[dict[str, Any]]:
    """Every object of a kind; `namespace` None is all of them. Raises MissingKindError where the kind is not served."""
    query = {"limit": str(_PAGE), "labelSelector": labels, "fieldSelector": fields}
    found: list[dict[str, Any]] = []
    while True:
        try:
            page = await request_json(access, "GET", resource.path(namespace or ""), query=query)
        except NotFoundError as error:
            raise MissingKindError(f"{resource.kind}: this cluster does not serve {resource.api_version}") from error
        # Items of a list carry neither.
        found += [{"apiVersion": resource.api_version, "kind": resource.kind} | one for one in page["items"]]
        query["continue"] = str((page.get("metadata") or {}).get("continue") or "")
        if not query["continue"]:
            return found


async def get_object(access: UserAccess, resource: ServedKind, *, namespace: str | None, name: str) -> dict[str, Any]:
    """One object. Raises NotFoundError."""
    return await request_object(access, "GET", resource.path(namespace or "", name))


async def request_object(access: UserAccess, method: str, path: str, **options: Any) -> dict[str, Any]:
    """`request_json` where the answer is one object."""
    answer: dict[str, Any] = await request_json(access, method, path, **options)
    return answer


async def request_json(
    access: UserAccess,
    method: str,
    path: str,
    *,
    query: Mapping[str, str] | None = None,
    body: Any = None,
    content_type: str = "application/json",
) -> Any:
    """The decoded answer. Raises the errors of ports.py and those above."""
    timeout = aiohttp.ClientTimeout(total=_SECONDS, sock_connect=_CONNECT_SECONDS)
    response = await _send(access, method, path, query=query, body=body, content_type=content_type, timeout=timeout)
    async with response:
        try:
            return json.loads(await response.read())
        except (aiohttp.ClientError, TimeoutError) as error:
            raise TransientError(f"{access.server} broke off its answer to {method} {path}") from error
        except ValueError as error:
            raise ClusterError(f"{access.server} answers {method} {path} with something that is no JSON") from error


async def read_server_time(access: UserAccess) -> datetime:
    """The API server's clock, in whole seconds: what it has stamped cannot be judged by a laptop's."""
    timeout = aiohttp.ClientTimeout(total=_SECONDS, sock_connect=_CONNECT_SECONDS)
    async with await _send(access, "GET", "/version", timeout=timeout) as response:
        stamp = response.headers.get("Date")
    return parsedate_to_datetime(stamp) if stamp else datetime.now(UTC)


async def stream_lines(access: UserAccess, path: str, *, query: Mapping[str, str]) -> AsyncIterator[str]:
    """The lines of an answer as they come, however long that takes; the last one also without its end."""
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS)
    response = await _send(access, "GET", path, query=query, timeout=timeout)
    rest = b""
    async with response:
        try:
            async for chunk in response.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    yield line.decode(errors="replace").rstrip("\r")
        except (aiohttp.ClientError, TimeoutError) as error:
            raise TransientError(f"{access.server} broke off {path}") from error
    if rest:
        yield rest.decode(errors="replace")


async def _send(
    access: UserAccess,
    method: str,
    path: str,
    *,
    query: Mapping[str, str] | None = None,
    body: Any = None,
    content_type: str = "application/json",
    timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - of aiohttp, which tells connecting from waiting
) -> aiohttp.ClientResponse:
    """The response, its body still to be read, once the server has said that it will answer."""
    method, url, headers, body, _ = await access.api.param_serialize(
        method=method,
        resource_path=path,
        query_params=given_query(query),
        header_params={"Accept": "application/json, */*", "Content-Type": content_type},
        body=body,
        auth_settings=["BearerToken"],
    )
    try:
        answer = await access.api.call_api(method, url, header_params=headers, body=body, _request_timeout=timeout)
    except ApiException as error:
        raise TransientError(f"{access.server}: {error.reason}") from error
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise TransientError(_unreachable(access, error)) from error
    response: aiohttp.ClientResponse = answer.response
    if response.status >= 400:
        async with response:
            raise _error_of(response.status, await response.read(), what=f"{method} {path}")
    return response


def _unreachable(access: UserAccess, error: BaseException) -> str:
    context = f" (context {access.context})" if access.context else ""
    why = str(error) or "no answer in time"
    return f"{access.server}{context} cannot be reached: {why}"


def _error_of(code: int, body: bytes, *, what: str) -> ClusterError:
    """The server's own words, in the class that decides what is done about them."""
    kind = _ERRORS.get(code, TransientError if code >= 500 else RefusedError)
    return kind(message_of(body) or f"{what}: HTTP {code}")
