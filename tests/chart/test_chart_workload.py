"""The operator's pods as rendered: the restricted Pod Security Standard, its settings, its neighbors."""

from base64 import b64decode
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography import x509

from trivium.handlers import intake
from trivium.handlers.settings import read_settings
from trivium.render.network_policy import OPERATOR_NAME

Manifest = dict[str, Any]
SCENARIOS = ("default", "full", "own-issuer", "own-certificate", "namespaced", "bare")
FROM_THE_POD = {
    "metadata.name": "trivium-operator-0",
    "metadata.namespace": "trivium-system",
    "status.podIP": "10.0.0.9",
}


def _one(manifests: list[Manifest], kind: str) -> Manifest:
    [found] = [one for one in manifests if one["kind"] == kind]
    return found


def _pod(manifests: list[Manifest]) -> Manifest:
    return _one(manifests, "Deployment")["spec"]["template"]


def _environment(pod: Manifest) -> dict[str, str]:
    [container] = pod["spec"]["containers"]
    return {
        one["name"]: one["value"] if "value" in one else FROM_THE_POD[one["valueFrom"]["fieldRef"]["fieldPath"]]
        for one in container["env"]
    }


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_pods_meet_the_restricted_standard_and_more(rendered: dict[str, list[Manifest]], scenario: str) -> None:
    spec = _pod(rendered[scenario])["spec"]
    [container] = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] >= 10_000
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
    assert all(set(one) - {"name"} <= {"emptyDir", "secret", "configMap"} for one in spec["volumes"])
    assert {"cpu", "memory"} <= container["resources"]["limits"].keys()
    assert {"startupProbe", "livenessProbe", "readinessProbe"} <= container.keys()


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_operator_understands_every_setting_that_the_chart_gives_it(
    rendered: dict[str, list[Manifest]], scenario: str
) -> None:
    pod = _pod(rendered[scenario])
    settings = read_settings({k: v for k, v in _environment(pod).items() if k.startswith("TRIVIUM_")})
    assert settings.namespace == "trivium-system"
    lease = _one(rendered[scenario], "Lease")
    assert settings.lease_name == lease["metadata"]["name"]
    assert "spec" not in lease, "what is in it is the holder's"
    ports = {one["name"]: one["containerPort"] for one in pod["spec"]["containers"][0]["ports"]}
    assert (ports["metrics"], ports["probes"]) == (settings.metrics_port, settings.probe_port)


@pytest.mark.parametrize("scenario", ["full", "own-issuer", "own-certificate"])
def test_reports_go_to_the_service_without_a_selector(rendered: dict[str, list[Manifest]], scenario: str) -> None:
    environment = _environment(_pod(rendered[scenario]))
    service = _one(rendered[scenario], "Service")
    assert "selector" not in service["spec"]
    assert environment["TRIVIUM_PROGRESS_SERVICE"] == service["metadata"]["name"]
    host = f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc"
    assert environment["TRIVIUM_PROGRESS_URL"] == f"https://{host}:{service['spec']['ports'][0]['port']}{intake.PATH}"
    assert service["spec"]["ports"][0]["name"] == "progress", "as kube.endpoint_slice names it"


@pytest.mark.parametrize("scenario", ["full", "own-issuer", "own-certificate"])
def test_the_certificate_is_for_the_host_that_trainers_ask(rendered: dict[str, list[Manifest]], scenario: str) -> None:
    host = urlsplit(_environment(_pod(rendered[scenario]))["TRIVIUM_PROGRESS_URL"]).hostname
    [volume] = [one for one in _pod(rendered[scenario])["spec"]["volumes"] if one["name"] == "progress-tls"]
    secret = volume["secret"]["secretName"]
    if scenario == "own-certificate":
        [made] = [one for one in rendered[scenario] if one["kind"] == "Secret" and one["metadata"]["name"] == secret]
        text = b64decode(made["data"]["tls.crt"])
        extension = x509.load_pem_x509_certificate(text).extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names = extension.value.get_values_for_type(x509.DNSName)
    else:
        [names] = [
            one["spec"]["dnsNames"]
            for one in rendered[scenario]
            if one["kind"] == "Certificate" and one["spec"]["secretName"] == secret
        ]
    assert host in names


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_selector_finds_the_operators_pods_and_jobs_pods_may_reach_them(
    rendered: dict[str, list[Manifest]], scenario: str
) -> None:
    manifests = rendered[scenario]
    pod = _pod(manifests)
    labels = pod["metadata"]["labels"]
    assert labels["app.kubernetes.io/name"] == OPERATOR_NAME
    assert labels["app.kubernetes.io/managed-by"] != "trivium", "or the operator would take its own pods for a job's"
    selectors = [_one(manifests, "Deployment")["spec"]["selector"]]
    selectors += [one["spec"]["selector"] for one in manifests if one["kind"] == "PodDisruptionBudget"]
    selectors += [one["spec"]["podSelector"] for one in manifests if one["kind"] == "NetworkPolicy"]
    selectors += [one["labelSelector"] for one in pod["spec"].get("topologySpreadConstraints", ())]
    for selector in selectors:
        assert selector["matchLabels"].items() <= labels.items()


def test_only_prometheus_and_training_pods_may_connect(rendered: dict[str, list[Manifest]]) -> None:
    metrics, progress = _one(rendered["own-certificate"], "NetworkPolicy")["spec"]["ingress"]
    assert metrics["ports"] == [{"protocol": "TCP", "port": "metrics"}]
    assert progress["ports"] == [{"protocol": "TCP", "port": "progress"}]
    assert all(peer.get("podSelector") or peer["namespaceSelector"] for peer in metrics["from"] + progress["from"])
    assert progress["from"][0]["podSelector"] == {"matchLabels": {"app.kubernetes.io/managed-by": "trivium"}}


@pytest.mark.parametrize(
    ("values", "image"),
    [
        ({}, "trivium/operator:0.1.0"),
        ({"image.tag": "1.2.3"}, "trivium/operator:1.2.3"),
        ({"image.tag": "1.2.3", "image.digest": f"sha256:{'a' * 64}"}, f"trivium/operator@sha256:{'a' * 64}"),
    ],
)
def test_a_digest_wins_over_a_tag(
    render_with: Callable[[dict[str, Any]], list[Manifest]], values: dict[str, Any], image: str
) -> None:
    assert _pod(render_with(values))["spec"]["containers"][0]["image"] == image


def test_a_single_replica_is_not_guarded_against_a_drain(
    render_with: Callable[[dict[str, Any]], list[Manifest]],
) -> None:
    assert "PodDisruptionBudget" not in {one["kind"] for one in render_with({"replicas": 1})}
    assert "PodDisruptionBudget" in {one["kind"] for one in render_with({"replicas": 2})}


def test_crds_stay_when_the_chart_goes_unless_that_is_wanted(rendered: dict[str, list[Manifest]]) -> None:
    for scenario, kept in (("default", True), ("full", False)):
        crds = [one for one in rendered[scenario] if one["kind"] == "CustomResourceDefinition"]
        assert len(crds) == 4
        for one in crds:
            assert (one["metadata"].get("annotations", {}).get("helm.sh/resource-policy") == "keep") is kept
