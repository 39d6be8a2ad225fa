"""The endpoint's certificate and the bundle that trainers trust, read anew from a mounted Secret when they change.

    ca.crt changes ──> the bundle of all namespaces holds both authorities ──SETTLE──> the new certificate is served

Whoever renews the Secret (cert-manager, the chart) replaces authority and certificate in one stroke, but the kubelets
bring a new bundle to the trainers' pods only within a minute or two.
"""

import logging
import re
import ssl
from dataclasses import dataclass
from pathlib import Path

CERTIFICATE, KEY, CA = "tls.crt", "tls.key", "ca.crt"
LOOK_SECONDS = 5.0
"""Between two looks at the files."""
SETTLE_SECONDS = 180.0
"""A kubelet brings a changed ConfigMap within its sync period (60 s) and its cache's delay."""
KEEP_SECONDS = 3600.0
"""How long a replaced authority stays in the bundle: the other replica may serve its certificate a little longer."""
_MAX_AUTHORITIES = 8
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)

_log = logging.getLogger(__name__)


class CertificateError(Exception):
    """The files cannot be served; the message names the folder and the trouble."""


@dataclass(frozen=True, slots=True)
class _Files:
    """Contents, to see a change whatever the clock of the file system says."""

    certificate: bytes
    key: bytes
    authorities: tuple[str, ...]


class ServingCertificate:
    """`look` every LOOK_SECONDS; `context` at each connection."""

    def __init__(self, folder: Path) -> None:
        """Raises CertificateError."""
        self._folder = folder
        self._files = _read(folder)
        self._context = _load(folder)
        self._next: tuple[float, ssl.SSLContext] | None = None
        """When the newer certificate is served, and the certificate."""
        self._replaced: dict[str, float] = {}
        """Authorities that left ca.crt, and when."""
        self._trouble = ""

    def context(self) -> ssl.SSLContext:
        """What the next connection is served with."""
        return self._context

    def bundle(self) -> str:
        """PEM of every authority that a trainer should trust, the present one first."""
        return "\n".join((*self._files.authorities, *self._replaced)) + "\n"

    def look(self, *, now: float) -> bool:
        """Read the files at `now`, monotonic seconds; whether the bundle is another then.

        Files that do not fit each other wait for the next look. A certificate of a new authority is served when the
        bundle had time to arrive, any other at once.
        """
        before = self.bundle()
        try:
            files = _read(self._folder)
            if files != self._files:
                self._take(files, _load(self._folder), now=now)
            self._trouble = ""
        except CertificateError as error:
            if str(error) != self._trouble:
                _log.warning("%s; the certificate in use stays", error)
            self._trouble = str(error)
        if self._next is not None and now >= self._next[0]:
            self._context, self._next = self._next[1], None
            _log.info("the renewed certificate of the new authority is served from now on")
        self._replaced = {one: at for one, at in self._replaced.items() if now - at < KEEP_SECONDS}
        return self.bundle() != before

    def _take(self, files: _Files, context: ssl.SSLContext, *, now: float) -> None:
        gone = [one for one in self._files.authorities if one not in files.authorities]
        kept = {one: at for one, at in self._replaced.items() if one not in files.authorities}
        newest = sorted((kept | dict.fromkeys(gone, now)).items(), key=lambda item: item[1])[-_MAX_AUTHORITIES:]
        self._replaced = dict(newest)
        if set(files.authorities) - set(self._files.authorities):
            self._next = (now + SETTLE_SECONDS, context)
            _log.info("a new authority: its certificate is served in %.0f seconds", SETTLE_SECONDS)
        elif self._next is not None:
            self._next = (self._next[0], context)
        else:
            self._context = context
            _log.info("the renewed certificate is served from now on")
        self._files = files


def _read(folder: Path) -> _Files:
    try:
        certificate, key = (folder / CERTIFICATE).read_bytes(), (folder / KEY).read_bytes()
        authorities = tuple(_PEM.findall((folder / CA).read_text(encoding="ascii")))
    except (OSError, UnicodeDecodeError) as error:
        raise CertificateError(f"{folder}: {error}. It must hold {CERTIFICATE}, {KEY} and {CA}.") from error
    if not authorities:
        raise CertificateError(f"{folder / CA}: there is no certificate in it. It must hold the authority's, as PEM.")
    return _Files(certificate, key, authorities)


def _load(folder: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(folder / CERTIFICATE, folder / KEY)
    except (OSError, ssl.SSLError) as error:
        raise CertificateError(f"{folder}: {CERTIFICATE} and {KEY} cannot be served: {error}") from error
    return context
