"""The progress endpoint on the loopback interface: reports of this machine's trainers, a token for each attempt."""

import hashlib
import json
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from aiohttp import web

MAX_REPORT_BYTES = 256 * 1024  # an inspection with a large architecture config is some 20 KiB
PATH = "/v1alpha1/progress"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Whom a token was given to."""

    namespace: str
    rayjob: str
    ray_cluster: str
    job_uid: str


class Tokens:
    """Bearer tokens of the attempts that run; a token lives as long as its attempt."""

    def __init__(self) -> None:
        # By digest, so that looking one up takes no longer for a better guess.
        self._senders: dict[str, Sender] = {}

    def issue(self, sender: Sender) -> str:
        """A new token, valid until `revoke`."""
        token = secrets.token_urlsafe(32)
        self._senders[_digest(token)] = sender
        return token

    def revoke(self, token: str) -> None:
        """The token means nothing from now on."""
        self._senders.pop(_digest(token), None)

    def sender(self, token: str) -> Sender | None:
        """Who sent this, None for a token that is not ours or no longer."""
        return self._senders.get(_digest(token))


class ReportRefusedError(Exception):
    """A report that is not taken; the message goes to the trainer's log."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


OnReport = Callable[[Sender, dict[str, Any]], Awaitable[dict[str, Any]]]
"""Takes a raw report, returns the raw answer. Raises ReportRefusedError."""


class Intake:
    """The HTTP server; `start` chooses the port."""

    def __init__(self, tokens: Tokens, on_report: OnReport) -> None:
        self._tokens = tokens
        self._on_report = on_report
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self) -> None:
        """Listen on 127.0.0.1 at a free port; `url` says where."""
        application = web.Application(client_max_size=MAX_REPORT_BYTES)
        application.router.add_post(PATH, self._receive)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}{PATH}"

    async def stop(self) -> None:
        """Close; a report under way is answered first."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _receive(self, request: web.Request) -> web.Response:
        try:
            sender = self._authenticate(request.headers.get("Authorization", ""))
            answer = await self._on_report(sender, _parse(await request.read()))
        except ReportRefusedError as refusal:
            return web.json_response({"message": str(refusal)}, status=refusal.status)
        return web.json_response(answer)

    def _authenticate(self, header: str) -> Sender:
        scheme, _, token = header.partition(" ")
        sender = self._tokens.sender(token) if scheme == "Bearer" else None
        if sender is None:
            raise ReportRefusedError(HTTPStatus.UNAUTHORIZED, "the token belongs to no attempt that runs")
        return sender


def _parse(body: bytes) -> dict[str, Any]:
    try:
        report = json.loads(body)
    except ValueError:
        raise ReportRefusedError(HTTPStatus.BAD_REQUEST, "the report is not JSON") from None
    if not isinstance(report, dict):
        raise ReportRefusedError(HTTPStatus.BAD_REQUEST, "the report is not a JSON object")
    return report


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
