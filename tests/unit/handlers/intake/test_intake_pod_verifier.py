"""Which pod may speak for a job, over an API server that is two dictionaries (the real one: tests/cluster/intake)."""

from http import HTTPStatus

import pytest

from trivium.controller import Reporter, ReportError
from trivium.handlers.intake import PodVerifier
from trivium.kube.token_review import TokenVerdict
from trivium.ports import ObjectKey, TransientError

TRUE = {"authenticated": True, "namespace": "team", "service_account": "default", "pod_name": "head", "pod_uid": "u"}


class Server:
    """Reviews with one verdict, and knows one pod."""

    def __init__(self, *, verdict=TRUE, labels=None, owner="RayCluster", phase="Running", uid="u"):
        self.verdict = TokenVerdict(**verdict)
        self.audiences = []
        self.pod = {
            "metadata": {
                "name": "head",
                "uid": uid,
                "labels": {"trivium.dev/job-uid": "a", "ray.io/cluster": "cut"} if labels is None else labels,
                "ownerReferences": [{"kind": owner, "name": "the-ray-cluster", "uid": "r", "controller": True}],
            },
            "status": {"phase": phase},
        }

    async def review(self, _token, audience):
        self.audiences.append(audience)
        return self.verdict

    async def get(self, key):
        return self.pod if key == ObjectKey(kind="Pod", namespace="team", name="head") else None


async def verify(server):
    return await PodVerifier(server, server).verify("t", job_uid="a")


async def test_a_pod_of_the_jobs_ray_cluster_speaks_for_it():
    server = Server()
    assert await verify(server) == Reporter(job_uid="a", ray_cluster="the-ray-cluster", namespace="team")
    assert server.audiences == ["trivium.dev/a"]


async def test_a_pod_without_a_status_is_still_starting_and_alive():
    server = Server()
    del server.pod["status"]
    assert (await verify(server)).ray_cluster == "the-ray-cluster"


@pytest.mark.parametrize(
    ("server", "status", "word"),
    [
        (Server(verdict={"authenticated": False}), 401, "does not accept the token for this job"),
        (Server(verdict={**TRUE, "pod_name": "", "pod_uid": ""}), 403, "bound to no pod"),
        (Server(verdict={**TRUE, "pod_name": "gone"}), 403, "lives no more"),
        (Server(verdict={**TRUE, "namespace": "other"}), 403, "lives no more"),
        (Server(uid="another-of-the-same-name"), 403, "lives no more"),
        (Server(phase="Failed"), 403, "lives no more"),
        (Server(phase="Succeeded"), 403, "lives no more"),
        (Server(labels={"trivium.dev/job-uid": "b"}), 403, "does not belong to the job"),
        (Server(labels={}), 403, "does not belong to the job"),
        (Server(owner="ReplicaSet"), 403, "does not belong to the job"),
    ],
)
async def test_nobody_else_does(server, status, word):
    with pytest.raises(ReportError, match=word) as refusal:
        await verify(server)
    assert refusal.value.status == HTTPStatus(status)


async def test_a_call_that_fails_is_no_verdict():
    server = Server()

    async def review(_token, _audience):
        raise TransientError("503")

    server.review = review
    with pytest.raises(TransientError):
        await verify(server)
