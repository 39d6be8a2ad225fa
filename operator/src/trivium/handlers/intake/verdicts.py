"""What verifiers said, kept by the token's digest: a trainer reports every few seconds, its token changes hourly."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from trivium.controller import Reporter, ReportError
from trivium.handlers.intake.verifier import Verifier, expires_at
from trivium.ports import ClusterError

GOOD_SECONDS = 60.0
"""How long a pod that died may still speak."""
BAD_SECONDS = 10.0
STALE_SECONDS = 600.0
"""How long a good verdict serves while the API server cannot be asked: it must not silence trainers that are fine."""
MAX_VERDICTS = 4096


@dataclass(frozen=True, slots=True)
class _Verdict:
    said: Reporter | ReportError
    at: float
    """Monotonic seconds."""
    expires_at: float
    """Of the token, by the wall clock."""


class Verdicts:
    """`monotonic` and `wall` are clocks in seconds; the second is compared with what tokens say of their end."""

    def __init__(self, verifier: Verifier, *, monotonic: Callable[[], float], wall: Callable[[], float]) -> None:
        self._verifier = verifier
        self._monotonic = monotonic
        self._wall = wall
        self._verdicts: OrderedDict[str, _Verdict] = OrderedDict()

    def __len__(self) -> int:
        return len(self._verdicts)

    def known(self, token: str) -> Reporter | None:
        """Who it is, if that was asked lately; None if it must be asked. Raises ReportError, as was said lately."""
        verdict = self._verdicts.get(token_digest(token))
        if verdict is None:
            return None
        bad = isinstance(verdict.said, ReportError)
        if self._age(verdict) >= (BAD_SECONDS if bad else GOOD_SECONDS) or self._is_expired(verdict):
            return None
        return _say(verdict.said)

    async def ask(self, token: str, *, job_uid: str) -> Reporter:
        """Ask the verifier and keep the answer. Raises ReportError: 503 where it cannot be asked now."""
        digest = token_digest(token)
        try:
            said: Reporter | ReportError = await self._verifier.verify(token, job_uid=job_uid)
        except ReportError as refusal:
            said = refusal
        except ClusterError as error:
            return self._without_answer(digest, error)
        self._verdicts[digest] = _Verdict(said, self._monotonic(), expires_at(token))
        self._verdicts.move_to_end(digest)
        while len(self._verdicts) > MAX_VERDICTS:
            self._verdicts.popitem(last=False)
        return _say(said)

    def _without_answer(self, digest: str, error: ClusterError) -> Reporter:
        verdict = self._verdicts.get(digest)
        if verdict is not None and self._age(verdict) < STALE_SECONDS and not self._is_expired(verdict):
            return _say(verdict.said)
        raise ReportError(
            HTTPStatus.SERVICE_UNAVAILABLE, "Authorization: the token cannot be verified now. Repeat the report."
        ) from error

    def _age(self, verdict: _Verdict) -> float:
        return self._monotonic() - verdict.at

    def _is_expired(self, verdict: _Verdict) -> bool:
        return 0 < verdict.expires_at <= self._wall()


def token_digest(token: str) -> str:
    """What is kept of a token, so that a dump of this process holds none."""
    return hashlib.sha256(token.encode()).hexdigest()


def _say(said: Reporter | ReportError) -> Reporter:
    if isinstance(said, ReportError):
        raise ReportError(said.status, str(said))
    return said
