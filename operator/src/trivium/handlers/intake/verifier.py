"""What every verifier of progress tokens promises, and what a token claims of itself before it is verified."""

import base64
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Protocol

from trivium.controller import Reporter, ReportError
from trivium.render.names import AUDIENCE_PREFIX

MAX_TOKEN_BYTES = 8 * 1024
"""A projected token is 1 to 2 KiB; an HTTP header line ends at eight."""


class Verifier(Protocol):
    """Tells who sent a token."""

    async def verify(self, token: str, *, job_uid: str) -> Reporter:
        """Prove that the token was issued for this job's audience to a pod of that job, which lives.

        Raises ReportError for a token that proves it not, ports.ClusterError where it could not be asked.
        """


def claimed_job(token: str) -> str:
    """The uid of the one job that the token says to speak for; nothing is proved yet. Raises ReportError.

    Read first, so that a token for another purpose costs no call, and no body is read of who has none.
    """
    audiences = _claims(token).get("aud")
    names = [audiences] if isinstance(audiences, str) else audiences if isinstance(audiences, list) else []
    uids = [str(one).removeprefix(AUDIENCE_PREFIX) for one in names if str(one).startswith(AUDIENCE_PREFIX)]
    if len(uids) != 1 or not uids[0]:
        raise ReportError(
            HTTPStatus.UNAUTHORIZED,
            f"Authorization: the token's audience names no job. Use the projected token of audience {AUDIENCE_PREFIX}"
            "<uid of the job>, which the pods of a job mount.",
        )
    return uids[0]


def expires_at(token: str) -> float:
    """When the token says to end, in seconds since 1970; 0 where it does not say."""
    expiry = _claims(token).get("exp")
    return float(expiry) if isinstance(expiry, int | float) else 0.0


def _claims(token: str) -> Mapping[str, Any]:
    """The payload of a JSON Web Token (RFC 7519), unverified; empty if it is none."""
    parts = token.split(".")
    if len(parts) != 3 or len(token) > MAX_TOKEN_BYTES:
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}
