"""Every rendered pod against Pod Security Standards `restricted` (Kubernetes 1.36), written out control by control.

The init container that KubeRay adds copies image, env, mounts and securityContext of containers[0], so what holds for
that one holds for it. Left out: ephemeral containers and Windows, which we never render.
"""

import shlex

import pytest

from trivium.render import render_attempt

VOLUME_TYPES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}


def pods(children):
    """(role, pod template) of every pod that an attempt brings."""
    spec = children.ray_job["spec"]
    cluster = spec["rayClusterSpec"]
    found = [("submitter", spec["submitterPodTemplate"]), ("head", cluster["headGroupSpec"]["template"])]
    found += [("worker", group["template"]) for group in cluster["workerGroupSpecs"]]
    assert len(found) == 3
    return found


def violations(template, *, added=frozenset()):
    """Controls of `restricted` that a pod breaks; `added` are capabilities that a security profile names."""
    spec = template["spec"]
    broken = [f"host namespace {field}" for field in ("hostNetwork", "hostPID", "hostIPC") if spec.get(field)]
    for volume in spec.get("volumes", []):
        kinds = set(volume) - {"name"}
        if not kinds <= VOLUME_TYPES:
            broken.append(f"volume type {kinds}")
    pod_context = spec.get("securityContext", {})
    if pod_context.get("runAsUser") == 0 or "sysctls" in pod_context:
        broken.append("pod securityContext")
    for container in [*spec["containers"], *spec.get("initContainers", [])]:
        context = container.get("securityContext", {})
        if context.get("privileged"):
            broken.append("privileged")
        if context.get("allowPrivilegeEscalation") is not False:
            broken.append("allowPrivilegeEscalation")
        if context.get("runAsNonRoot") is not True or context.get("runAsUser") == 0:
            broken.append("runAsNonRoot")
        if context.get("seccompProfile", {}).get("type") not in {"RuntimeDefault", "Localhost"}:
            broken.append("seccompProfile")
        capabilities = context.get("capabilities", {})
        if "ALL" not in capabilities.get("drop", []):
            broken.append("capabilities.drop")
        if not set(capabilities.get("add", [])) <= {"NET_BIND_SERVICE"} | added:
            broken.append("capabilities.add")
        if any("hostPort" in port for port in container.get("ports", [])):
            broken.append("hostPort")
        if context.get("procMount", "Default") != "Default":
            broken.append("procMount")
    return broken


def test_every_pod_passes_restricted(case, attempt_of):
    attempt = attempt_of(case)
    rdma = frozenset({"IPC_LOCK"}) if attempt.profile.security_profile == "rdma" else frozenset()
    for role, template in pods(render_attempt(attempt)):
        added = rdma if role == "worker" else frozenset()
        assert violations(template, added=added) == [], role


def test_the_check_itself_sees_what_is_wrong(attempt_of):
    _, template = pods(render_attempt(attempt_of("pretrain-train-cpu")))[1]
    template["spec"]["containers"][0]["securityContext"] = {"privileged": True, "capabilities": {"add": ["SYS_ADMIN"]}}
    template["spec"]["volumes"].append({"name": "host", "hostPath": {"path": "/"}})
    assert len(violations(template)) == 7


def test_only_workers_with_gpus_may_pin_memory(attempt_of):
    attempt = attempt_of("sft-lora-train-gpu")
    assert attempt.profile.security_profile == "rdma"
    for role, template in pods(render_attempt(attempt)):
        assert violations(template) == (["capabilities.add"] if role == "worker" else []), role


def test_pods_are_locked_beyond_restricted(case, attempt_of):
    for role, template in pods(render_attempt(attempt_of(case))):
        spec = template["spec"]
        (container,) = spec["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"] is True, role
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False
        assert "serviceAccountName" not in spec
        assert container["resources"]["requests"] == container["resources"]["limits"]
        assert {"cpu", "memory"} <= set(container["resources"]["requests"])
        assert "command" not in container


def test_what_is_written_lies_in_an_empty_folder_or_a_claim(case, attempt_of):
    for role, template in pods(render_attempt(attempt_of(case))):
        spec = template["spec"]
        kinds = {volume["name"]: next(iter(set(volume) - {"name"})) for volume in spec["volumes"]}
        for mount in spec["containers"][0]["volumeMounts"]:
            if not mount.get("readOnly"):
                assert kinds[mount["name"]] in {"emptyDir", "persistentVolumeClaim"}, (role, mount)


def test_the_submitter_sees_no_data_no_credential_and_no_token(case, attempt_of):
    role, template = pods(render_attempt(attempt_of(case)))[0]
    assert role == "submitter"
    assert [next(iter(set(volume) - {"name"})) for volume in template["spec"]["volumes"]] == ["emptyDir"]


def test_the_pods_user_is_never_root_nor_a_user_of_the_node(case, attempt_of):
    for _, template in pods(render_attempt(attempt_of(case))):
        context = template["spec"]["securityContext"]
        assert context["runAsUser"] >= 10_000
        assert context["runAsNonRoot"] is True
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}


def test_names_in_the_environment_are_unique_and_none_belongs_to_kuberay(case, attempt_of):
    never = {"RAY_CLUSTER_NAME", "RAY_CLUSTER_NAMESPACE", "RAY_REDIS_ADDRESS", "REDIS_PASSWORD", "RAY_AUTH_MODE"}
    for _, template in pods(render_attempt(attempt_of(case))):
        names = [variable["name"] for variable in template["spec"]["containers"][0]["env"]]
        assert len(names) == len(set(names))
        assert not never & set(names)


def test_the_platform_cannot_move_home_by_accident(attempt_of):
    attempt = attempt_of("sft-lora-train-gpu")
    assert attempt.profile.pod.environment["HOME"] == "/root"
    for role, template in pods(render_attempt(attempt)):
        env = {one["name"]: one["value"] for one in template["spec"]["containers"][0]["env"]}
        assert env["HOME"] != "/root", role
        assert env["HTTPS_PROXY"] == "http://proxy.example:3128"


def test_mount_paths_and_volume_names_are_unique_and_all_are_used(case, attempt_of):
    for _, template in pods(render_attempt(attempt_of(case))):
        spec = template["spec"]
        volumes = [volume["name"] for volume in spec["volumes"]]
        mounts = spec["containers"][0]["volumeMounts"]
        assert len(volumes) == len(set(volumes))
        assert len(mounts) == len({mount["mountPath"] for mount in mounts})
        assert {mount["name"] for mount in mounts} == set(volumes)


def test_gpus_are_asked_for_by_workers_alone(attempt_of):
    for role, template in pods(render_attempt(attempt_of("sft-lora-train-gpu"))):
        requests = template["spec"]["containers"][0]["resources"]["requests"]
        want = {"nvidia.com/gpu": "8", "rdma/hca": "8"} if role == "worker" else {}
        assert {name: value for name, value in requests.items() if "/" in name} == want


def test_a_cpu_stage_on_a_gpu_profile_asks_for_no_gpu(attempt_of):
    attempt = attempt_of("sft-lora-train-gpu")
    plan = attempt.plan.model_copy(update={"gpus_per_worker": 0, "gpus": 0, "sizes": ()})
    for role, template in pods(render_attempt(attempt_of("sft-lora-train-gpu", stage="prepare", plan=plan))):
        container = template["spec"]["containers"][0]
        assert not [name for name in container["resources"]["requests"] if "/" in name], role
        assert violations(template) == []


@pytest.mark.parametrize("stage", ["prepare", "train"])
def test_no_word_of_a_tenant_reaches_a_shell(attempt_of, stage):
    attempt = attempt_of("pretrain-train-cpu", stage=stage)
    assert "$(word)" in attempt.job.spec.sampling.prompts[1]
    job = render_attempt(attempt).ray_job
    assert shlex.split(job["spec"]["entrypoint"]) == [
        "python",
        "-m",
        "trivium_trainer",
        "run",
        "--config",
        "/trivium/config/run.json",
    ]
    assert "$(" not in str(job)
    assert "runtimeEnvYAML" not in job["spec"]
