"""Progress tokens on a real API server: who is believed. The pods never run, so their tokens are asked for by name."""

import json
import uuid

import pytest

from trivium.controller import ReportError
from trivium.handlers.intake import PodVerifier
from trivium.handlers.intake.verifier import claimed_job, expires_at
from trivium.kube.client import open_connection
from trivium.kube.cluster import KubeCluster
from trivium.kube.token_review import TokenReviewer
from trivium.render.names import JOB_UID, token_audience

pytestmark = pytest.mark.slow

JOB = "11111111-aaaa-bbbb-cccc-222222222222"


def add_pod(plane, namespace, name, *, job=JOB, ray_cluster="bot-x"):
    """A pod as KubeRay makes it, as far as tokens are concerned; nothing schedules it."""
    manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {JOB_UID: job},
            "ownerReferences": [
                {"apiVersion": "ray.io/v1", "kind": "RayCluster", "name": ray_cluster, "uid": str(uuid.uuid4())}
                | {"controller": True}
            ],
        },
        "spec": {
            "serviceAccountName": "default",
            "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": "main",
                    "image": "none",
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                }
            ],
        },
    }
    plane.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": namespace}})
    plane.kubectl("create", "-f", "-", stdin=json.dumps(manifest))


def token_of(plane, namespace, pod, *, audience=None):
    """What the kubelet would project into the pod; without a pod, what anybody may ask for a service account."""
    bound = ("--bound-object-kind=Pod", f"--bound-object-name={pod}") if pod else ()
    said = plane.kubectl(
        "create", "token", "default", "-n", namespace, f"--audience={audience or token_audience(JOB)}", *bound
    )
    return said.strip()


async def verify(plane, token):
    async with open_connection(plane.kubeconfig) as connection:
        verifier = PodVerifier(TokenReviewer(connection), KubeCluster(connection))
        return await verifier.verify(token, job_uid=JOB)


async def test_a_pod_of_the_job_proves_its_job_its_ray_cluster_and_its_namespace(plane, namespace):
    add_pod(plane, namespace, "head")
    token = token_of(plane, namespace, "head")
    assert claimed_job(token) == JOB
    assert expires_at(token) > 0
    reporter = await verify(plane, token)
    assert (reporter.job_uid, reporter.ray_cluster, reporter.namespace) == (JOB, "bot-x", namespace)


async def test_a_token_for_another_job_or_for_the_api_server_proves_nothing(plane, namespace):
    add_pod(plane, namespace, "head")
    for audience in (token_audience("another"), "https://kubernetes.default.svc.cluster.local"):
        with pytest.raises(ReportError, match="does not accept the token"):
            await verify(plane, token_of(plane, namespace, "head", audience=audience))


async def test_a_pod_of_another_job_is_refused_although_it_has_the_audience(plane, namespace):
    add_pod(plane, namespace, "other", job="another")
    with pytest.raises(ReportError, match="does not belong to the job"):
        await verify(plane, token_of(plane, namespace, "other"))


async def test_a_token_that_no_pod_was_given_is_refused(plane, namespace):
    add_pod(plane, namespace, "head")
    with pytest.raises(ReportError, match="bound to no pod"):
        await verify(plane, token_of(plane, namespace, None))


async def test_the_token_of_a_pod_that_is_gone_is_refused(plane, namespace):
    add_pod(plane, namespace, "head")
    token = token_of(plane, namespace, "head")
    plane.kubectl("delete", "pod", "head", "-n", namespace, "--force", "--grace-period=0")
    with pytest.raises(ReportError, match="does not accept the token"):
        await verify(plane, token)


async def test_a_forged_token_is_refused(plane, namespace):
    add_pod(plane, namespace, "head")
    head, payload, signature = token_of(plane, namespace, "head").split(".")
    with pytest.raises(ReportError, match="does not accept the token"):
        await verify(plane, f"{head}.{payload}.{signature[::-1]}")
