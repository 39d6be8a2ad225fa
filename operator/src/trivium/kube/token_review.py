"""Asks the API server whose a projected token is (`authentication.k8s.io/v1` TokenReview).

Source: https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/ for the keys of `extra`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trivium.kube.client import Connection

_PATH = "/apis/authentication.k8s.io/v1/tokenreviews"
_USER_PREFIX = "system:serviceaccount:"
_POD_NAME = "authentication.kubernetes.io/pod-name"
_POD_UID = "authentication.kubernetes.io/pod-uid"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenVerdict:
    """Whom the API server takes the bearer for. All texts are empty for a token that it does not accept."""

    authenticated: bool
    namespace: str = ""
    service_account: str = ""
    pod_name: str = ""
    """Empty for a token that is bound to no pod."""
    pod_uid: str = ""


class TokenReviewer:
    """`connection`: one of its own, so that strangers with tokens take no turn from the writes of passes."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def review(self, token: str, audience: str) -> TokenVerdict:
        """Whose the token is, if it was issued for this audience. Raises the errors of ports.py."""
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": [audience]},
        }
        answer = await self._connection.write("POST", _PATH, body)
        return _verdict(answer.get("status") or {}, audience)


def _verdict(status: Mapping[str, Any], audience: str) -> TokenVerdict:
    user = status.get("user") or {}
    name = str(user.get("username") or "")
    # An authenticator that knows no audiences answers without them: its word is about another purpose.
    accepted = bool(status.get("authenticated")) and audience in (status.get("audiences") or ())
    if not accepted or not name.startswith(_USER_PREFIX):
        return TokenVerdict(authenticated=False)
    namespace, _, account = name.removeprefix(_USER_PREFIX).partition(":")
    extra = user.get("extra") or {}
    return TokenVerdict(
        authenticated=True,
        namespace=namespace,
        service_account=account,
        pod_name=_first(extra.get(_POD_NAME)),
        pod_uid=_first(extra.get(_POD_UID)),
    )


def _first(values: Any) -> str:
    return str(values[0]) if values else ""
