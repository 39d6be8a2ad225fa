"""An endpoint on the loopback interface with real certificates; the API server behind its verifier is a dictionary."""

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from testcluster.authority import Authority
from trivium.controller import Reporter, ReportError
from trivium.handlers.intake import PATH, IntakeServer, ServingCertificate


def make_token(job_uid: str, *, pod: str = "head", audience: str | None = None, **claims: Any) -> str:
    """What a projected token looks like; the signature is the API server's affair."""
    payload = {"aud": [audience or f"trivium.dev/{job_uid}"], "pod": pod, **claims}
    encoded = base64.urlsafe_b64encode(json.dumps(payload).encode()).decode().rstrip("=")
    return f"e30.{encoded}.c2lnbmF0dXJl"


@dataclass
class ScriptedVerifier:
    """Knows the tokens in `reporters`; counts what it is asked, and raises `trouble` while there is some."""

    reporters: dict[str, Reporter] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    trouble: Exception | None = None

    def admit(self, job_uid: str, **options: Any) -> str:
        """A token of a pod of that job."""
        token = make_token(job_uid, **options)
        self.reporters[token] = Reporter(job_uid=job_uid, ray_cluster="c", namespace="team")
        return token

    async def verify(self, token: str, *, job_uid: str) -> Reporter:
        self.asked.append(token)
        if self.trouble is not None:
            raise self.trouble
        found = self.reporters.get(token)
        if found is None or found.job_uid != job_uid:
            raise ReportError(401, "Authorization: nobody knows this token")
        return found


class Seconds:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Endpoint:
    """A server that runs, and what reached it."""

    server: IntakeServer
    verifier: ScriptedVerifier
    certificate: ServingCertificate
    authority: Authority
    folder: Path
    clock: Seconds
    taken: list[tuple[dict[str, Any], Reporter]] = field(default_factory=list)
    acting: bool = True
    on_report: Callable[..., Any] | None = None

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.server.port}{PATH}"

    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=self.authority.pem)

    async def post(self, token: str, report: Any = None, *, source: str = "127.0.0.1", **options: Any):
        """(status, answer, headers) of one report; `source` is the sender's address."""
        connector = aiohttp.TCPConnector(ssl=self.trust(), local_addr=(source, 0))
        arguments = {"json": {"jobUid": "a"} if report is None else report} if "data" not in options else {}
        headers = {"Authorization": f"Bearer {token}", **options.pop("headers", {})}
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.request(
                options.pop("method", "POST"), options.pop("url", self.url), headers=headers, **arguments, **options
            ) as answer,
        ):
            return answer.status, await answer.json(), answer.headers

    async def connect(self, *, source: str = "127.0.0.1"):
        """A bare TLS connection, for those who speak no proper HTTP."""
        return await self._open(source, ssl=self.trust())

    async def connect_bare(self, *, source: str = "127.0.0.1"):
        """A TCP connection that has not begun its handshake."""
        return await self._open(source)

    async def _open(self, source: str, **options: Any):
        return await asyncio.open_connection("127.0.0.1", self.server.port, local_addr=(source, 0), **options)


@pytest.fixture
async def endpoint(tmp_path: Path) -> AsyncIterator[Endpoint]:
    folder, authority, verifier, clock = tmp_path / "tls", Authority("one"), ScriptedVerifier(), Seconds()
    authority.write(folder)
    certificate = ServingCertificate(folder)

    async def take(raw, reporter):
        made.taken.append((raw, reporter))
        return {"attempt": 1, "remainingRestarts": 3}

    server = IntakeServer(
        lambda raw, reporter: made.on_report(raw, reporter),  # noqa: PLW0108 - tests exchange it while it serves
        verifier,
        tls=certificate.context,
        is_acting=lambda: made.acting,
        monotonic=clock,
        wall=clock,
    )
    made = Endpoint(server, verifier, certificate, authority, folder, clock)
    made.on_report = take
    await server.start(host="127.0.0.1", port=0)
    yield made
    await server.stop()
