"""One POST to the progress endpoint. Called from background threads and at the end, never by a training thread."""

import http.client
import json
import logging
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

from trivium_trainer.config import Progress
from trivium_trainer.layout import mounted
from trivium_trainer.progress import ProgressReport, ReportAnswer

TIMEOUT_SECONDS = 5.0
"""To connect, and between two bytes of an answer."""
MAX_ANSWER_BYTES = 64 * 1024
MAX_MESSAGE = 500
"""Characters of a refusal's reason that reach the log."""

log = logging.getLogger(__name__)


class ReportRefusedError(Exception):
    """The endpoint could not be reached, or did not answer with success."""


@dataclass(frozen=True, slots=True)
class ProgressClient:
    """The progress endpoint of one run. Keeps no connection: token and CA bundle rotate during a long job."""

    config: Progress

    @property
    def enabled(self) -> bool:
        return self.config.url is not None

    def post(self, report: ProgressReport) -> ReportAnswer:
        """Send one report. Raises ReportRefusedError, and nothing else, when it was not acknowledged."""
        try:
            return self._post(report)
        except (OSError, http.client.HTTPException, ValueError) as error:
            # ValueError: an answer that is no JSON, or no ReportAnswer; a URL without a host.
            raise ReportRefusedError(f"{type(error).__name__}: {error}"[:300]) from error

    def _post(self, report: ProgressReport) -> ReportAnswer:
        url = urlsplit(self.config.url or "")
        connection = self._connect(url.scheme, url.hostname or "", url.port)
        try:
            body = report.model_dump_json(by_alias=True, exclude_none=True)
            connection.request("POST", url.path or "/", body=body, headers=self._headers())
            response = connection.getresponse()
            payload = response.read(MAX_ANSWER_BYTES)
        finally:
            connection.close()
        if response.status // 100 != 2:
            raise ReportRefusedError(f"HTTP {response.status} {response.reason}{_reason_of(payload)}")
        return _parse_answer(payload)

    def _connect(self, scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
        if scheme == "https":
            ca_file = None if self.config.ca_file is None else str(mounted(self.config.ca_file))
            context = ssl.create_default_context(cafile=ca_file)
            return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_SECONDS, context=context)
        return http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json"}
        if self.config.token_file is not None:
            headers["Authorization"] = f"Bearer {mounted(self.config.token_file).read_text().strip()}"
        return headers


def _reason_of(payload: bytes) -> str:
    """What the operator says of a refusal, to be put behind the status; nothing if it is no message of its own."""
    try:
        message = json.loads(payload)["message"]
    except (ValueError, LookupError, TypeError):
        return ""
    return f": {message[:MAX_MESSAGE]}" if isinstance(message, str) else ""


def _parse_answer(payload: bytes) -> ReportAnswer:
    raw = json.loads(payload)
    if not isinstance(raw, dict):
        raise ReportRefusedError("the answer is no JSON object")
    # A newer operator may say more than this trainer knows.
    known = {name for field, info in ReportAnswer.model_fields.items() for name in (field, info.alias)}
    return ReportAnswer.model_validate({key: value for key, value in raw.items() if key in known})
