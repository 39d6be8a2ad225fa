"""What the rendered chart allows: the operator, and people."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

Manifest = dict[str, Any]
FORBIDDEN = {
    "secrets",
    "pods/exec",
    "pods/attach",
    "pods/portforward",
    "pods/proxy",
    "serviceaccounts",
    "serviceaccounts/token",
    "roles",
    "rolebindings",
    "clusterroles",
    "clusterrolebindings",
    "nodes",
    "nodes/proxy",
    "*",
}
SCENARIOS = ("default", "full", "own-issuer", "own-certificate", "namespaced", "bare")


def _of(manifests: list[Manifest], *kinds: str) -> list[Manifest]:
    return [one for one in manifests if one["kind"] in kinds]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_no_rule_is_about_what_an_operator_is_attacked_for(rendered: dict[str, list[Manifest]], scenario: str) -> None:
    rules = [rule for role in _of(rendered[scenario], "Role", "ClusterRole") for rule in role["rules"]]
    assert len(rules) > 5
    for rule in rules:
        assert not FORBIDDEN & set(rule["resources"]), rule
        assert "*" not in rule["verbs"] + rule["apiGroups"], rule
        assert "nonResourceURLs" not in rule


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_pods_are_read_and_never_written(rendered: dict[str, list[Manifest]], scenario: str) -> None:
    rules = [rule for role in _of(rendered[scenario], "Role", "ClusterRole") for rule in role["rules"]]
    verbs = {verb for rule in rules if "pods" in rule["resources"] for verb in rule["verbs"]}
    assert verbs == {"get", "list", "watch"}


def test_a_namespaced_installation_has_nothing_cluster_wide(rendered: dict[str, list[Manifest]]) -> None:
    manifests = rendered["namespaced"]
    assert all("namespace" in one["metadata"] for one in manifests)
    roles = {(one["metadata"]["namespace"], one["metadata"]["name"]) for one in _of(manifests, "Role")}
    served = {("tenant-a", "trivium-operator-jobs"), ("tenant-b", "trivium-operator-jobs")}
    assert roles == {("trivium-system", "trivium-operator"), ("trivium-system", "trivium-operator-jobs"), *served}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_binding_names_a_role_of_the_chart_and_the_operator_alone(
    rendered: dict[str, list[Manifest]], scenario: str
) -> None:
    manifests = rendered[scenario]
    roles = {(one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]) for one in manifests}
    bindings = _of(manifests, "RoleBinding", "ClusterRoleBinding")
    assert bindings
    for one in bindings:
        assert (one["roleRef"]["kind"], one["metadata"].get("namespace"), one["roleRef"]["name"]) in roles
        assert one["subjects"] == [
            {"kind": "ServiceAccount", "name": "trivium-operator", "namespace": "trivium-system"}
        ]


def test_people_may_edit_jobs_but_not_their_status_and_profiles_are_for_those_who_are_told(
    default_manifests: list[Manifest],
) -> None:
    roles = {one["metadata"]["name"]: one for one in _of(default_manifests, "ClusterRole")}
    assert set(roles) == {"trivium-operator", "trivium-edit", "trivium-view", "trivium-profile-reader"}
    assert roles["trivium-edit"]["rules"][0]["resources"] == ["pretrainjobs", "sftjobs", "preferencejobs"]
    assert roles["trivium-view"]["rules"][0]["verbs"] == ["get", "list", "watch"]
    labels = roles["trivium-profile-reader"]["metadata"]["labels"]
    assert not any(key.startswith("rbac.authorization.k8s.io") for key in labels)


def test_the_reference_page_says_what_the_chart_grants() -> None:
    check = [sys.executable, "tests/chart/rbac_page.py", "--check"]
    assert subprocess.run(check, cwd=ROOT, check=False).returncode == 0, f"run {' '.join(check[:2])}"
