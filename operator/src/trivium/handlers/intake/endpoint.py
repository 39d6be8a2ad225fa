"""The progress endpoint, composed: its certificate is looked after, its authorities go to the controller's jobs."""

import asyncio
import logging
import ssl
import time
from collections.abc import Callable
from pathlib import Path

from trivium.controller import Controller
from trivium.handlers.intake.certificate import LOOK_SECONDS, ServingCertificate
from trivium.handlers.intake.expiry import expiry_of
from trivium.handlers.intake.pod_verifier import PodVerifier
from trivium.handlers.intake.server import IntakeServer
from trivium.kube.client import Connection
from trivium.kube.cluster import KubeCluster
from trivium.kube.token_review import TokenReviewer

_log = logging.getLogger(__name__)


class ProgressEndpoint:
    """Serves from `start` to `stop`, also on a replica that does not act: it answers 503 until `is_acting`."""

    def __init__(
        self,
        controller: Controller,
        connection: Connection,
        *,
        tls_folder: Path,
        port: int,
        is_acting: Callable[[], bool],
        on_expiry: Callable[[float], None] = lambda _: None,
    ) -> None:
        """`connection`: one of its own, for tokens of strangers. `on_expiry`: told until when the certificate in use is
        good, in seconds since 1970. Raises CertificateError.
        """
        self._on_expiry = on_expiry
        self._controller = controller
        self._port = port
        self._certificate = ServingCertificate(tls_folder)
        self._server = IntakeServer(
            controller.on_report,
            PodVerifier(TokenReviewer(connection), KubeCluster(connection)),
            tls=self._certificate.context,
            is_acting=is_acting,
        )
        self._looking: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """Where it listens, once started."""
        return self._server.port

    async def start(self) -> None:
        """Listen on every address, and tell the controller whom trainers must trust. Raises OSError."""
        self._controller.trust(self._certificate.bundle())
        self._tell_expiry()
        await self._server.start(port=self._port)
        self._looking = asyncio.create_task(self._look_regularly(), name="look at the certificate")

    async def stop(self) -> None:
        """Accept no more, answer what is under way, close."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        await self._server.stop()

    async def _look_regularly(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            # Kilobytes of a mounted Secret, in memory: no thread is worth it.
            before = self._certificate.context()
            if self._certificate.look(now=time.monotonic()):
                self._controller.trust(self._certificate.bundle())
            if self._certificate.context() is not before:
                self._tell_expiry()

    def _tell_expiry(self) -> None:
        try:
            self._on_expiry(expiry_of(self._certificate.context(), self._certificate.bundle()))
        except ssl.SSLError as error:
            _log.error("no trainer will accept this certificate: %s", error)
            self._on_expiry(0.0)
