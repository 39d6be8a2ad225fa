"""Tokens proved by the API server (TokenReview), and their pods by looking at them."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Protocol

from trivium.controller import Reporter, ReportError
from trivium.kube.token_review import TokenVerdict
from trivium.ports import Cluster, Manifest, ObjectKey
from trivium.render.names import JOB_UID, token_audience

_ENDED = frozenset({"Succeeded", "Failed"})


class Reviewer(Protocol):
    """kube.token_review.TokenReviewer."""

    async def review(self, token: str, audience: str) -> TokenVerdict:
        """What the API server says of a token. Raises ClusterError."""


class PodVerifier:
    """A Verifier. Two calls for each token that is new; keep its verdicts (verdicts.Verdicts)."""

    def __init__(self, reviewer: Reviewer, cluster: Cluster) -> None:
        self._reviewer = reviewer
        self._cluster = cluster

    async def verify(self, token: str, *, job_uid: str) -> Reporter:
        """See verifier.Verifier.

        Whether the job lives in the pod's namespace, and runs in the pod's Ray cluster, the controller checks: a
        label and an owner are what anybody writes who may create pods, but only in his own namespace.
        """
        verdict = await self._reviewer.review(token, token_audience(job_uid))
        if not verdict.authenticated:
            raise ReportError(
                HTTPStatus.UNAUTHORIZED,
                "Authorization: the API server does not accept the token for this job. It has expired, its pod is "
                "gone, or another cluster has issued it. Read it anew from its file for every report.",
            )
        if not verdict.pod_name:
            raise ReportError(
                HTTPStatus.FORBIDDEN, "Authorization: the token is bound to no pod. Use the one that the pod mounts."
            )
        key = ObjectKey(kind="Pod", namespace=verdict.namespace, name=verdict.pod_name)
        pod = await self._cluster.get(key)
        if pod is None or pod["metadata"].get("uid") != verdict.pod_uid or _phase(pod) in _ENDED:
            raise ReportError(HTTPStatus.FORBIDDEN, f"Authorization: pod {key.name} of the token lives no more.")
        ray_cluster = _ray_cluster(pod)
        if (pod["metadata"].get("labels") or {}).get(JOB_UID) != job_uid or ray_cluster is None:
            raise ReportError(
                HTTPStatus.FORBIDDEN,
                f"Authorization: pod {key.name} of the token does not belong to the job that its audience names. "
                "Only pods of the job's own Ray cluster report for it.",
            )
        return Reporter(job_uid=job_uid, ray_cluster=ray_cluster, namespace=key.namespace)


def _phase(pod: Manifest) -> str:
    return str((pod.get("status") or {}).get("phase") or "")


def _ray_cluster(pod: Manifest) -> str | None:
    """The RayCluster that controls a pod; the label ray.io/cluster says the same, and is cut where names are long."""
    owners: list[Mapping[str, Any]] = pod["metadata"].get("ownerReferences") or []
    return next((str(one["name"]) for one in owners if one.get("controller") and one["kind"] == "RayCluster"), None)
