"""A trainer's report, from a pod's own token to the job's status, through a real operator and a real API server.

KubeRay and the kubelet are played: they make the RayCluster, name it in the RayJob's status, and hand out the token.
"""

import json
import ssl
import time
import urllib.error
import urllib.request
from typing import Any

import pytest

from testcluster.authority import Authority

from .conftest import NAMESPACE, World, free_port, wait_for

pytestmark = pytest.mark.slow

POD_IP = "10.1.2.3"  # the API server takes no loopback address for an endpoint
LABEL = "trivium.dev/job-uid"


def _start(world: World) -> int:
    port, folder = free_port(), world.folder / "tls"
    Authority("first").write(folder)
    world.start(
        "replica-a",
        TRIVIUM_INTAKE_PORT=str(port),
        TRIVIUM_PROGRESS_URL=f"https://127.0.0.1:{port}/v1alpha1/progress",
        TRIVIUM_POD_IP=POD_IP,
        TRIVIUM_TLS_FOLDER=str(folder),
    )
    return port


def _play_kuberay(world: World, namespace: str, ray_job: dict[str, Any]) -> str:
    """A Ray cluster with a head pod, of which the RayJob's status tells; the pod's name."""
    name, uid = f"{ray_job['metadata']['name']}-x7abc", ray_job["metadata"]["uid"]
    owner = {"apiVersion": "ray.io/v1", "kind": "RayJob", "name": ray_job["metadata"]["name"], "uid": uid}
    metadata = {"namespace": namespace, "labels": ray_job["metadata"]["labels"]}
    cluster_spec = ray_job["spec"]["rayClusterSpec"]
    world.plane.apply(
        {
            "apiVersion": "ray.io/v1",
            "kind": "RayCluster",
            "metadata": {**metadata, "name": name, "ownerReferences": [{**owner, "controller": True}]},
            "spec": cluster_spec,
        }
    )
    cluster = world.get("raycluster", name, namespace=namespace)
    reference = {"apiVersion": "ray.io/v1", "kind": "RayCluster", "name": name, "uid": cluster["metadata"]["uid"]}
    template = cluster_spec["headGroupSpec"]["template"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{name}-head",
            "namespace": namespace,
            "labels": {**template["metadata"]["labels"], "ray.io/cluster": name, "ray.io/node-type": "head"},
            "ownerReferences": [{**reference, "controller": True}],
        },
        "spec": template["spec"],
    }
    wait_for(lambda: world.get("serviceaccount", "default", namespace=namespace))
    world.plane.kubectl("create", "-f", "-", stdin=json.dumps(pod))
    status = {"status": {"jobDeploymentStatus": "Running", "jobStatus": "RUNNING", "rayClusterName": name}}
    patch = ("--subresource=status", "--type=merge", "-p", json.dumps(status))
    world.plane.kubectl("patch", "rayjob", ray_job["metadata"]["name"], "-n", namespace, *patch)
    return f"{name}-head"


def _token(world: World, namespace: str, pod: str, uid: str) -> str:
    bound = ("--bound-object-kind=Pod", f"--bound-object-name={pod}", f"--audience=trivium.dev/{uid}")
    return world.plane.kubectl("create", "token", "default", "-n", namespace, *bound).strip()


def _report(world: World, port: int, token: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    request = urllib.request.Request(
        f"https://127.0.0.1:{port}/v1alpha1/progress",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    context = ssl.create_default_context(cafile=str(world.folder / "tls" / "ca.crt"))
    try:
        with urllib.request.urlopen(request, context=context, timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, json.loads(refusal.read())


def test_a_report_reaches_the_status_and_its_answer_carries_attempt_and_budget(world: World) -> None:
    port = _start(world)
    world.add_namespace("team")
    world.add_job("team", "base")
    (ray_job,) = wait_for(lambda: world.ray_jobs("team"))
    slices = wait_for(lambda: world.get("endpointslice", "trivium-progress-holder", namespace=NAMESPACE))
    assert slices["endpoints"][0]["addresses"] == [POD_IP]
    trusted = world.get("configmap", "trivium-ca", namespace="team")["data"]
    assert list(trusted.values()) == [(world.folder / "tls" / "ca.crt").read_text()]

    uid = world.get("pretrainjob", "base", namespace="team")["metadata"]["uid"]
    pod = _play_kuberay(world, "team", ray_job)
    token = _token(world, "team", pod, uid)
    report = {
        "apiVersion": "progress.trivium.dev/v1alpha1",
        "jobUid": uid,
        "stage": "prepare",
        "sequence": 1,
        "activity": "prepare",
        "step": 3,
        "totalSteps": 7,
    }
    code, answer = _report(world, port, token, report)
    assert (code, answer["attempt"]) == (200, 1)
    assert answer["remainingRestarts"] > 0

    def shown() -> int:
        progress = world.get("pretrainjob", "base", namespace="team")["status"].get("progress") or {}
        return int(progress.get("step") or 0)

    assert wait_for(shown) == 3

    refused, words = _report(world, port, token, {**report, "jobUid": "another"})
    assert refused == 403
    assert "another job" in words["message"]
    code, words = _report(world, port, "no-token", report)
    assert code == 401

    address = f"http://127.0.0.1:{world.metrics_ports['replica-a']}/metrics"
    with urllib.request.urlopen(address, timeout=10) as page:
        told = dict(line.rsplit(" ", 1) for line in page.read().decode().splitlines() if not line.startswith("#"))
    left = float(told["trivium_certificate_expiry_timestamp_seconds"]) - time.time()
    assert 3000 < left <= 3600, "testcluster.authority signs for an hour"
