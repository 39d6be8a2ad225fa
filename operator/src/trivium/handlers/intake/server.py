"""HTTP on the progress endpoint: one POST, its bounds, and JSON for every answer that a trainer's author may read."""

import asyncio
import json
import logging
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

from aiohttp import web

from trivium.controller import Reporter, ReportError
from trivium.handlers.intake.listener import Listener
from trivium.handlers.intake.rates import Places, Rate
from trivium.handlers.intake.verdicts import Verdicts, token_digest
from trivium.handlers.intake.verifier import Verifier, claimed_job

PATH = "/v1alpha1/progress"
MAX_REPORT_BYTES = 256 * 1024
"""An inspection with a large architecture config is some 20 KiB."""
BODY_SECONDS = 5.0
RETRY_SECONDS = "5"
"""About the time of a take-over, for Retry-After."""
_REPORTS_OF_JOB = 4
"""At once; a trainer sends one after the other."""
_REPORTS = 128
_ASKED_OF_ADDRESS = 4
"""Unknown tokens of one address that are under verification at once."""
_ASKED = 16
_GRACE_SECONDS = 4.0

OnReport = Callable[[Mapping[str, Any], Reporter], Awaitable[dict[str, Any]]]
"""Controller.on_report. Raises ReportError."""

_log = logging.getLogger(__name__)


class _Conversation(web.RequestHandler):
    """aiohttp's connection, which tells the listener of its end."""

    __slots__ = ("_over",)

    def __init__(self, server: web.Server, over: asyncio.Event) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type] # AppRunner passes None through: no access log
            auto_decompress=False,  # a bound on what arrives is one on what is kept
            read_bufsize=16 * 1024,
            lingering_time=1.0,
        )
        self._over = over

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self._over.set()


class IntakeServer:
    """Takes reports while `is_acting`; `start`, then `stop`."""

    def __init__(
        self,
        on_report: OnReport,
        verifier: Verifier,
        *,
        tls: Callable[[], ssl.SSLContext],
        is_acting: Callable[[], bool],
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`tls` is asked at each connection. `is_acting`: whether this process holds the Lease and knows the jobs."""
        self._on_report = on_report
        self._is_acting = is_acting
        self._verdicts = Verdicts(verifier, monotonic=monotonic, wall=wall)
        self._rate = Rate(burst=20, per_second=2.0, monotonic=monotonic)
        self._of_job = Places(each=_REPORTS_OF_JOB, total=_REPORTS)
        self._asked = Places(each=_ASKED_OF_ADDRESS, total=_ASKED)
        self._listener = Listener(self._protocol, tls)
        self._http: web.Server | None = None

    @property
    def port(self) -> int:
        """Where it listens, once started."""
        return self._listener.port

    async def start(self, *, host: str = "", port: int) -> None:
        """Listen; an empty host is every address, port 0 a free one. Raises OSError."""
        self._http = web.Server(self._answer)
        self._listener.start(host=host, port=port)

    async def stop(self) -> None:
        """Accept no more, answer what is under way, close."""
        self._listener.stop_accepting()
        if self._http is not None:
            await self._http.shutdown(_GRACE_SECONDS)
        await self._listener.stop()

    def _protocol(self, over: asyncio.Event) -> asyncio.Protocol:
        assert self._http is not None, "the listener starts after it"
        return _Conversation(self._http, over)

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        """One request, one answer, one connection: token and CA bundle change under a long job."""
        try:
            answer = web.json_response(await self._receive(request))
        except ReportError as refusal:
            answer = web.json_response({"message": str(refusal)}, status=refusal.status)
            if refusal.status in {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS}:
                answer.headers["Retry-After"] = RETRY_SECONDS
        except Exception:  # noqa: BLE001 a bug that one report meets must not end the others' endpoint
            _log.exception("a report could not be taken")
            message = "The operator failed on this report; its log says why."
            answer = web.json_response({"message": message}, status=HTTPStatus.INTERNAL_SERVER_ERROR)
        answer.force_close()
        return answer

    async def _receive(self, request: web.BaseRequest) -> dict[str, Any]:
        """From the cheapest refusal to the dearest; nobody's body is read before his token is known."""
        _check_head(request)
        if not self._is_acting():
            raise ReportError(
                HTTPStatus.SERVICE_UNAVAILABLE, "Another replica of the operator acts, or is about to. Repeat it."
            )
        token = _bearer(request.headers.get("Authorization", ""))
        reporter = self._verdicts.known(token) or await self._ask(token, address=str(request.remote))
        if not self._rate.take(token_digest(token)):
            raise ReportError(HTTPStatus.TOO_MANY_REQUESTS, "This pod reports too often. Leave seconds between two.")
        if not self._of_job.enter(reporter.job_uid):
            raise ReportError(HTTPStatus.TOO_MANY_REQUESTS, "Other reports of this job are under way. Repeat it later.")
        try:
            return await self._on_report(_parse(await _read_body(request)), reporter)
        finally:
            self._of_job.leave(reporter.job_uid)

    async def _ask(self, token: str, *, address: str) -> Reporter:
        job_uid = claimed_job(token)
        if not self._asked.enter(address):
            raise ReportError(HTTPStatus.TOO_MANY_REQUESTS, "Other tokens of this address are being verified.")
        try:
            return await self._verdicts.ask(token, job_uid=job_uid)
        finally:
            self._asked.leave(address)


def _check_head(request: web.BaseRequest) -> None:
    if request.path != PATH:
        raise ReportError(HTTPStatus.NOT_FOUND, f"{request.path[:100]}: there is nothing here. Reports go to {PATH}.")
    if request.method != "POST":
        raise ReportError(HTTPStatus.METHOD_NOT_ALLOWED, f"{request.method}: reports are sent with POST.")
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise ReportError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Content-Encoding: reports are sent uncompressed.")
    if (request.content_length or 0) > MAX_REPORT_BYTES:
        raise _too_large()


def _bearer(header: str) -> str:
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise ReportError(HTTPStatus.UNAUTHORIZED, "Authorization: there is no bearer token.")
    return token.strip()


async def _read_body(request: web.BaseRequest) -> bytes:
    """Raises ReportError where it is too long or too slow."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.content.iter_any():
                body += part
                if len(body) > MAX_REPORT_BYTES:
                    raise _too_large()
    except TimeoutError:
        message = f"The report did not arrive within {BODY_SECONDS:.0f} seconds."
        raise ReportError(HTTPStatus.REQUEST_TIMEOUT, message) from None
    return bytes(body)


def _parse(body: bytes) -> dict[str, Any]:
    try:
        report = json.loads(body)
    except (ValueError, RecursionError):
        raise ReportError(HTTPStatus.BAD_REQUEST, "The report is not JSON.") from None
    if not isinstance(report, dict):
        raise ReportError(HTTPStatus.BAD_REQUEST, "The report is not a JSON object.")
    return report


def _too_large() -> ReportError:
    return ReportError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The report is larger than {MAX_REPORT_BYTES // 1024} KiB."
    )
