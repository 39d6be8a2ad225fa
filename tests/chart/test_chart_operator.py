"""The operator with the rights of the chart, and no others."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from testcluster.control_plane import Plane, control_plane
from testcluster.programs import binary

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
OPERATOR = "system:serviceaccount:trivium-system:trivium-operator"
PROFILE = {
    "apiVersion": "trivium.dev/v1alpha1",
    "kind": "ComputeProfile",
    "metadata": {"name": "cpu"},
    "spec": {
        "default": True,
        "image": "trivium/trainer:0.1.0",
        "rayVersion": "2.60.0",
        "storage": {"runs": {"claimName": "runs"}},
        "worker": {"cpu": 1, "memory": "64Gi"},
    },
}


def test_the_operator_starts_a_job_and_is_forbidden_nothing(tmp_path: Path) -> None:
    with control_plane(tmp_path) as plane:
        command = [binary("helm"), "install", "trivium", ROOT / "charts" / "trivium", "--set", "crds.enabled=false"]
        command += ["--namespace", "trivium-system", "--create-namespace"]
        subprocess.run(command, env={**os.environ, "KUBECONFIG": str(plane.kubeconfig)}, check=True)
        token = plane.kubectl("-n", "trivium-system", "create", "token", "trivium-operator").strip()
        settings = {
            "KUBECONFIG": str(plane.kubeconfig_of(token, name="operator")),
            "PROBE_PORT": "0",
            "METRICS_PORT": "0",
        }
        environment = {**os.environ, **{f"TRIVIUM_{name}": value for name, value in settings.items()}}
        job = yaml.safe_load((ROOT / "examples" / "three-stages" / "pretrain.yaml").read_text())
        job["metadata"], job["spec"]["compute"] = {"name": "job", "namespace": "default"}, {}
        with subprocess.Popen([sys.executable, "-m", "trivium", "operator"], env=environment) as operator:
            try:
                plane.apply(PROFILE, job)
                plane.processes["kube-apiserver"].wait_until(lambda: "job-pretrain" in plane.kubectl("get", "rayjobs"))
            finally:
                operator.terminate()
        assert operator.returncode == 0
        answers = _answers(plane)
        assert ("create", "rayjobs", 201) in answers
        assert not [one for one in answers if one[2] in (401, 403)]


def _answers(plane: Plane) -> set[tuple[str, str, int]]:
    """Verb, resource and code of all that the operator asked."""
    lines = [json.loads(line) for line in plane.audit_log.read_text().splitlines()]
    return {
        (one["verb"], one["objectRef"]["resource"], one["responseStatus"]["code"])
        for one in lines
        if one["user"]["username"] == OPERATOR and "objectRef" in one and "responseStatus" in one
    }
