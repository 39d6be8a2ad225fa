"""The operator's way to the API server: requests of raw JSON over `kubernetes.aio`, each with a time-out, errors typed.

Raw JSON, because the client's models of the core group alone cost 30 MB, and reconcile reads manifests anyway.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config

from trivium.ports import ClusterError, ConflictError, NotFoundError, RefusedError, TransientError

REQUEST_SECONDS = 4.0
"""Below lease duration - renewal deadline, so that a write is over before another process may begin (leader.py)."""
LIST_SECONDS = 30.0
"""For one page of a list."""
_WRITES_AT_ONCE = 16

OnRequest = Callable[[str, int], None]
"""Told of every request that was answered: HTTP method and status code; 0 where no answer came."""

_ERRORS: Mapping[int, type[ClusterError]] = {
    404: NotFoundError,
    409: ConflictError,
    408: TransientError,
    # A token that has just been renewed on disk, or rights that are granted in this moment.
    401: TransientError,
    # The token of a list's next page is too old.
    410: TransientError,
    429: TransientError,
}


class NoConfigurationError(ClusterError):
    """Neither a service account of a pod nor a kubeconfig; the message says what was looked at."""


def _ignore(_method: str, _code: int) -> None:
    """Nobody counts requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAccess:
    """What another client needs to reach the same server as the same user; None where there is no such thing."""

    server: str
    ca_file: str | None
    token: str | None
    certificate_file: str | None
    key_file: str | None


@dataclass(slots=True, kw_only=True)
class Connection:
    """An open client. `close` it at the end; `open_connection` does."""

    api: ApiClient
    on_request: OnRequest = _ignore
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_WRITES_AT_ONCE))
    """Writes at once; reads and the Lease, which has a connection of its own, do not wait for them."""

    def access(self) -> ServerAccess:
        """As it is now: in a pod the token is read anew from its file every minute."""
        settings = self.api.configuration
        scheme, _, token = str((settings.api_key or {}).get("BearerToken") or "").partition(" ")
        return ServerAccess(
            server=settings.host,
            ca_file=settings.ssl_ca_cert,
            token=token or scheme or None,
            certificate_file=settings.cert_file,
            key_file=settings.key_file,
        )

    async def read(self, path: str, *, query: Mapping[str, str] | None = None, seconds: float = REQUEST_SECONDS) -> Any:
        """GET. Raises the errors of ports.py."""
        return await self._request("GET", path, query=query, seconds=seconds)

    async def write(
        self,
        method: str,
        path: str,
        body: Any,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Any:
        """POST, PUT, PATCH or DELETE; waits for its turn first. Raises the errors of ports.py."""
        async with self.slots:
            return await self._request(method, path, query=query, body=body, content_type=content_type)

    async def _request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        seconds: float = REQUEST_SECONDS,
    ) -> Any:
        try:
            async with asyncio.timeout(seconds):  # the whole exchange: an answer that trickles in is no answer
                code, text = await self._exchange(method, path, query=query, body=body, content_type=content_type)
        except (aiohttp.ClientError, ApiException, TimeoutError, OSError) as error:
            self.on_request(method, 0)
            raise TransientError(f"{method} {path}: {error or 'no answer in time'}") from error
        self.on_request(method, code)
        if code >= HTTP_ERRORS:
            raise error_of(code, text, what=f"{method} {path}")
        try:
            return json.loads(text)
        except ValueError as error:
            raise TransientError(f"{method} {path}: the answer is no JSON") from error

    async def _exchange(
        self, method: str, path: str, *, query: Mapping[str, str] | None, body: Any, content_type: str
    ) -> tuple[int, bytes]:
        # Not by ApiClient.call_api: it walks through every body, for models and dates that manifests do not hold.
        settings = self.api.configuration
        headers = {"Accept": "application/json", "Content-Type": content_type}
        token = await settings.get_api_key_with_prefix("BearerToken", alias="authorization")
        if token:
            headers["Authorization"] = token
        url = f"{settings.host}{path}{'?' if query else ''}{urlencode(given_query(query))}"
        answer = await self.api.rest_client.request(method, url, headers=headers, body=body)
        async with answer.response as response:
            return response.status, await response.read()


HTTP_ERRORS = 400


@contextlib.asynccontextmanager
async def open_connection(
    kubeconfig: Path | None = None, *, on_request: OnRequest = _ignore
) -> AsyncIterator[Connection]:
    """Connect with a kubeconfig if one is named, else with the service account of this pod; closed at the end.

    Raises NoConfigurationError.
    """
    settings = type.__call__(Configuration)  # its metaclass would hand out a copy of a shared default
    try:
        if kubeconfig is not None:
            await load_kube_config(config_file=str(kubeconfig), client_configuration=settings)
        else:
            load_incluster_config(client_configuration=settings)
    except (ConfigException, OSError) as error:
        where = str(kubeconfig) if kubeconfig is not None else "this pod's service account"
        raise NoConfigurationError(f"{where}: {error}. Run in a pod, or name a file with --kubeconfig.") from error
    api = ApiClient(configuration=settings)
    try:
        yield Connection(api=api, on_request=on_request)
    finally:
        await api.close()


def error_of(code: int, body: bytes, *, what: str) -> ClusterError:
    """The server's own words, in the class that decides what is done about them."""
    kind = _ERRORS.get(code, TransientError if code >= 500 else RefusedError)
    return kind(f"{what}: {code} {message_of(body)}".rstrip())


def message_of(body: bytes) -> str:
    """What a Status object says, or the beginning of an answer that is none."""
    try:
        status = json.loads(body)
    except ValueError:
        return body.decode(errors="replace").strip()[:512]
    return str(status.get("message") or "") if isinstance(status, dict) else ""


def given_query(query: Mapping[str, str] | None) -> Sequence[tuple[str, str]]:
    """The parameters that have a value: an empty one would mean something to the API server."""
    return [(name, value) for name, value in (query or {}).items() if value]
