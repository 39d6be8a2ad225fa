"""`kubectl trivium why` against a real API server: what is read, with which rights, in which of the two worlds.

Which cause comes of what was read: tests/unit/cli/test_why.py.
"""

import json
from datetime import UTC, datetime

import pytest

pytestmark = pytest.mark.slow
QUEUED = {
    "number": 1,
    "run": 1,
    "stage": "train",
    "rayJob": "chat-1",
    "startedAt": "2026-11-24T01:00:00Z",
    "queued": True,
    "queue": "gpus",
}
STARTING = {**QUEUED, "queued": False, "queue": ""}


def ask(bench, **options) -> dict:
    result = bench.call("why", "chat", "-o", "json", **options)
    assert result.exception is None, result.exception
    return json.loads(result.output)


def ray_job(**status) -> dict:
    container = {"name": "ray", "image": "x"}
    group = {"rayStartParams": {}, "template": {"spec": {"containers": [container]}}}
    spec = {"entrypoint": "true", "suspend": False, "rayClusterSpec": {"headGroupSpec": group}}
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayJob",
        "metadata": {"name": "chat-1"},
        "spec": spec,
        **({"status": status} if status else {}),
    }


def lease(bench, *, renewed: datetime) -> None:
    """Of an operator somewhere on the cluster."""
    spec = {
        "holderIdentity": "pod-1",
        "leaseDurationSeconds": 15,
        "renewTime": renewed.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }
    bench.make(
        {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": "trivium-operator"},
            "spec": spec,
        }
    )


def test_a_lease_that_is_not_renewed_is_the_first_answer(bench) -> None:
    bench.job("chat", phase="Waiting")
    lease(bench, renewed=datetime(2026, 11, 24, 1, 0, tzinfo=UTC))
    assert ask(bench)["reason"] == "OperatorAbsent"
    bench.plane.kubectl("delete", "lease", "trivium-operator", "-n", bench.namespace)


def test_the_age_of_a_lease_is_told_by_the_servers_clock(bench) -> None:
    bench.job("chat", phase="Waiting", message="Waits for something.")
    lease(bench, renewed=datetime.now(UTC))
    assert ask(bench)["reason"] == "Pending"
    bench.plane.kubectl("delete", "lease", "trivium-operator", "-n", bench.namespace)


def test_a_queue_without_kueue_is_named(bench) -> None:
    bench.job("chat", phase="Queued", attempts=[QUEUED])
    bench.make(ray_job())
    assert ask(bench)["reason"] == "KueueAbsent"


def test_a_rayjob_that_cannot_be_made_is_the_webhooks_fault(bench) -> None:
    bench.job("chat", phase="Starting", attempts=[STARTING])
    name = f"blocker-{bench.namespace}.example.org"
    bench.plane.apply(
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": name},
            "webhooks": [
                {
                    "name": name,
                    "admissionReviewVersions": ["v1"],
                    "sideEffects": "None",
                    "clientConfig": {"service": {"namespace": bench.namespace, "name": "absent"}},
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": bench.namespace}},
                    "rules": [
                        {
                            "apiGroups": ["ray.io"],
                            "apiVersions": ["v1"],
                            "resources": ["rayjobs"],
                            "operations": ["CREATE"],
                        }
                    ],
                }
            ],
        }
    )
    answer = ask(bench)
    bench.plane.kubectl("delete", "mutatingwebhookconfiguration", name)
    assert (answer["reason"], answer["turn"]) == ("WebhookDown", "platform")
    assert f"{bench.namespace}/absent has no ready pod" in answer["message"]


def test_kuberay_that_does_nothing_is_named(bench) -> None:
    bench.job("chat", phase="Starting", attempts=[STARTING])
    bench.make(ray_job(jobDeploymentStatus="Initializing"))
    assert ask(bench)["reason"] == "KubeRayAbsent"


def test_a_warning_about_the_raycluster_is_found(bench) -> None:
    bench.job("chat", phase="Starting", attempts=[STARTING])
    bench.make(ray_job(jobDeploymentStatus="Initializing", rayClusterName="chat-1-x"))
    bench.make(
        {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": "refused"},
            "involvedObject": {"kind": "RayCluster", "name": "chat-1-x", "namespace": bench.namespace},
            "reason": "FailedToCreateHeadPod",
            "message": "exceeded quota: team",
            "type": "Warning",
            "lastTimestamp": "2026-11-24T02:00:00Z",
        }
    )
    assert "exceeded quota: team" in ask(bench)["message"]


def test_a_pod_that_cannot_pull_its_image_is_found(bench) -> None:
    job = bench.job("chat", phase="Starting", attempts=[STARTING])
    bench.make(ray_job(jobDeploymentStatus="Initializing"))
    pod = bench.pod_of(job, STARTING, "chat-1-head", role="head", node="")
    state = {"waiting": {"reason": "ErrImagePull", "message": "not found"}}
    status = {"phase": "Pending", "containerStatuses": [{**pod["status"]["containerStatuses"][0], "state": state}]}
    bench.make(
        {key: pod[key] for key in ("apiVersion", "kind", "spec")}
        | {"metadata": {"name": "chat-1-head", "labels": pod["metadata"]["labels"]}, "status": status}
    )
    assert ask(bench)["reason"] == "ImagePull"


def test_the_upstream_is_read_too(bench) -> None:
    bench.job("base", phase="Queued", message="no room")
    waits = {"type": "UpstreamReady", "status": "False", "reason": "UpstreamNotFinished", "message": "Waits."}
    job = bench.job("chat")
    job["spec"]["model"] = {"from": {"job": {"kind": "SFTJob", "name": "base"}}}
    bench.make({key: job[key] for key in ("apiVersion", "kind", "spec")} | {"metadata": {"name": "chat"}})
    bench.set_status(job, phase="Waiting", conditions=[{**waits, "lastTransitionTime": "2026-11-24T02:00:00Z"}])
    answer = ask(bench)
    assert answer["reason"] == "UpstreamNotFinished"
    assert "sft/base, which is Queued: no room" in answer["message"]


def test_who_may_read_jobs_alone_gets_an_answer_all_the_same(bench, tenant, rules) -> None:
    bench.job("chat", phase="Starting", message="Attempt 1 is starting.", attempts=[STARTING])
    reader = tenant("reader", rules("trivium.dev", "pretrainjobs", "sftjobs", "preferencejobs"))
    answer = ask(bench, kubeconfig=reader)
    assert answer["reason"] == "Starting"
    assert {one["name"] for one in answer["checks"] if one["state"] == "unknown"} >= {"KubeRay", "pods"}


def test_the_command_to_run_next_is_one_that_runs(bench, plugin_as_kubectl_finds_it) -> None:
    bench.job("chat", phase="Suspended")
    bench.call("suspend", "chat")
    bench.set_status(bench.read("SFTJob", "chat"), phase="Suspended")
    told = ask(bench)["next"]
    assert told == [f"kubectl trivium resume sft/chat -n {bench.namespace} --kubeconfig {bench.plane.kubeconfig}"]
    done = plugin_as_kubectl_finds_it(*told[0].split()[2:])
    assert done.stdout == "sft/chat goes on.\n"
