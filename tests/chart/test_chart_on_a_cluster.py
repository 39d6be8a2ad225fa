"""The chart on a real API server: installed, upgraded, rolled back and removed by Helm; its policies asked by users."""

import json
import os
import subprocess
import uuid
from base64 import b64decode, b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.x509.oid import ExtensionOID

from testcluster.control_plane import KubectlError, Plane, control_plane
from testcluster.programs import binary

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "trivium"
VALUES = ("--set", "progress.enabled=true")
KINDS = ("PretrainJob", "SFTJob", "PreferenceJob")
ALICE = ("--as=alice", "--as-group=tenants")
Object = dict[str, Any]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    """With the chart, and with nothing of Trivium's that the chart did not bring."""
    with control_plane(tmp_path_factory.mktemp("chart")) as plane:
        crds = plane.kubectl("get", "crd", "-o", "name").split()
        plane.kubectl("delete", *(one for one in crds if one.endswith(".trivium.dev")))
        _helm(plane, "install", "--create-namespace", CHART, *VALUES)
        plane.apply(*_tenants())
        yield plane


def _helm(plane: Plane, verb: str, *arguments: str | Path, release: str = "trivium") -> str:
    command = [binary("helm"), verb, release, "--namespace", "trivium-system", *arguments]
    environment = {**os.environ, "KUBECONFIG": str(plane.kubeconfig)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _tenants() -> list[Object]:
    """Whoever may edit in namespace tenant and read one Secret there; profiles with and without queues."""
    subjects = [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "tenants"}]
    rbac = "rbac.authorization.k8s.io/v1"
    where = {"namespace": "tenant"}
    readable = ["trivium-one", "trivium-two", "trivium-three", "trivium-four"]
    # Written without aggregation: no controller that aggregates need be waited for.
    rules = [{"apiGroups": ["trivium.dev"], "resources": ["*"], "verbs": ["*"]}]
    rules += [{"apiGroups": [""], "resources": ["secrets"], "resourceNames": readable, "verbs": ["get"]}]
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "tenant"}},
        {"apiVersion": rbac, "kind": "Role", "metadata": {"name": "tenants", **where}, "rules": rules},
        {
            "apiVersion": rbac,
            "kind": "RoleBinding",
            "metadata": {"name": "tenants", **where},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "tenants"},
            "subjects": subjects,
        },
        _profile("queued", queue={"allowed": ["research", "night"]}, priority={"allowed": ["low"]}),
        _profile("free", default=True),
    ]


def _profile(name: str, **spec: Any) -> Object:
    whole = {"image": "trivium/trainer:0.1.0", "rayVersion": "2.60.0", "worker": {"cpu": 1, "memory": "1Gi"}, **spec}
    return {"apiVersion": "trivium.dev/v1alpha1", "kind": "ComputeProfile", "metadata": {"name": name}, "spec": whole}


def _job(kind: str = "SFTJob", *, secrets: tuple[str, ...] = (), **compute: Any) -> Object:
    file = {"PretrainJob": "pretrain", "SFTJob": "sft", "PreferenceJob": "preference"}[kind]
    job: Object = yaml.safe_load((ROOT / "examples" / "three-stages" / f"{file}.yaml").read_text())
    assert job["kind"] == kind
    job["metadata"] = {"name": f"job-{uuid.uuid4().hex[:8]}", "namespace": "tenant"}
    job["spec"]["compute"] = compute
    if secrets:
        job["spec"]["credentials"] = [
            {"name": f"entry-{place}", "secret": secret, "key": "token"} for place, secret in enumerate(secrets)
        ]
    return job


def _create(plane: Plane, job: Object, *arguments: str) -> str:
    return plane.kubectl(*ALICE, "create", "-f", "-", *arguments, stdin=json.dumps(job))


@pytest.mark.parametrize("kind", KINDS)
def test_a_job_with_no_secret_or_with_readable_ones_is_let_in(cluster: Plane, kind: str) -> None:
    assert "created" in _create(cluster, _job(kind))
    four = ("trivium-one", "trivium-two", "trivium-three", "trivium-four")
    assert "created" in _create(cluster, _job(kind, secrets=four))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", range(4))
def test_a_secret_that_the_author_may_not_read_is_refused_at_every_place(cluster: Plane, kind: str, place: int) -> None:
    secrets = ["trivium-one"] * 4
    secrets[place] = "trivium-anothers"
    with pytest.raises(KubectlError, match=rf"credentials\[{place}\]\.secret: alice may not read the Secret trivium-a"):
        _create(cluster, _job(kind, secrets=tuple(secrets)))


def test_who_may_read_the_secret_may_name_it_for_somebody_who_edits_the_job_later(cluster: Plane) -> None:
    job = _job(secrets=("trivium-anothers",))
    cluster.kubectl("create", "-f", "-", stdin=json.dumps(job))  # an admin
    suspend = json.dumps({"spec": {"runPolicy": {"suspend": True}}})
    name = job["metadata"]["name"]
    edited = cluster.kubectl(*ALICE, "-n", "tenant", "patch", "sftjob", name, "--type=merge", "-p", suspend)
    assert "patched" in edited


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("compute", "complaint"),
    [
        ({"profile": "queued", "queue": "day"}, "profile queued does not allow day. Name one of research, night"),
        ({"profile": "queued", "priority": "high"}, "does not allow high. Name one of low"),
        ({"profile": "free", "queue": "research"}, "does not allow research. Remove it: this profile has none"),
        ({"queue": "research"}, "ComputeProfile free does not allow research"),
    ],
)
def test_a_queue_or_priority_that_the_profile_does_not_allow_is_refused(
    cluster: Plane, kind: str, compute: Object, complaint: str
) -> None:
    with pytest.raises(KubectlError, match=complaint.replace("profile queued", "ComputeProfile queued")):
        _create(cluster, _job(kind, **compute))


@pytest.mark.parametrize(
    "compute",
    [{"profile": "queued", "queue": "night", "priority": "low"}, {"profile": "absent", "queue": "any"}, {}],
)
def test_what_the_profile_allows_is_let_in_and_what_nobody_knows_yet_too(cluster: Plane, compute: Object) -> None:
    assert "created" in _create(cluster, _job(**compute))


def test_a_job_stays_editable_when_its_profile_becomes_stricter(cluster: Plane) -> None:
    cluster.apply(_profile("narrowing", queue={"allowed": ["research", "night"]}))
    job = _job(profile="narrowing", queue="night")
    _create(cluster, job)
    cluster.apply(_profile("narrowing", queue={"allowed": ["research"]}))
    edit = ("-n", "tenant", "patch", "sftjob", job["metadata"]["name"], "--type=merge", "-p")
    assert "patched" in cluster.kubectl(*ALICE, *edit, json.dumps({"spec": {"compute": {"workers": 2}}}))
    with pytest.raises(KubectlError, match="does not allow day"):
        cluster.kubectl(*ALICE, *edit, json.dumps({"spec": {"compute": {"queue": "day"}}}))


def test_the_api_server_finds_no_mistake_in_the_policies(cluster: Plane) -> None:
    policies = json.loads(cluster.kubectl("get", "validatingadmissionpolicies", "-o", "json"))["items"]
    assert {one["metadata"]["name"] for one in policies} == {
        "trivium-credentials.trivium.dev",
        "trivium-profiles.trivium.dev",
    }
    for one in policies:
        cluster.processes["kube-controller-manager"].wait_until(lambda name=one: _type_checked(cluster, name))


def _type_checked(plane: Plane, policy: Object) -> bool:
    live = json.loads(plane.kubectl("get", "validatingadmissionpolicy", policy["metadata"]["name"], "-o", "json")).get(
        "status", {}
    )
    assert not live.get("typeChecking", {}).get("expressionWarnings")
    return "typeChecking" in live


@pytest.mark.parametrize("scenario", ["default", "bare", "namespaced"])
def test_the_api_server_takes_every_manifest_and_warns_of_nothing(cluster: Plane, scenario: str) -> None:
    """The kinds of cert-manager and of the Prometheus operator are not served here."""
    for namespace in ("trivium-system", "tenant-a", "tenant-b"):
        labels = {"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/warn": "restricted"}
        cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}})
    values = CHART / "ci" / f"{scenario}.yaml"
    rendered = _helm(cluster, "template", CHART, "--values", values)
    manifests = [one for one in yaml.safe_load_all(rendered) if one and one["kind"] != "PodMonitor"]
    taken = cluster.kubectl(
        *(
            "apply",
            "--server-side",
            "--force-conflicts",
            "--dry-run=server",
            "--validate=strict",
            "--warnings-as-errors",
        ),
        *("-f", "-"),
        stdin=yaml.safe_dump_all(manifests),
    )
    assert len(taken.splitlines()) == len(manifests)


def test_upgrades_keep_the_authority_and_renew_the_certificate(cluster: Plane) -> None:
    first = _secrets(cluster)
    _helm(cluster, "upgrade", CHART, *VALUES)
    second = _secrets(cluster)
    assert second["ca"]["ca.key"] == first["ca"]["ca.key"]
    assert second["tls"]["tls.crt"] != first["tls"]["tls.crt"]
    authority, served = _certificate(second["tls"]["ca.crt"]), _certificate(second["tls"]["tls.crt"])
    served.verify_directly_issued_by(authority)
    names = served.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
    assert "trivium-progress.trivium-system.svc" in names.get_values_for_type(x509.DNSName)


def test_the_authority_is_replaced_in_two_upgrades_and_trust_overlaps(cluster: Plane) -> None:
    old = _secrets(cluster)
    _age(cluster, seconds=6 * 365 * 86_400)
    _helm(cluster, "upgrade", CHART, *VALUES)
    announced = _secrets(cluster)
    assert announced["ca"]["ca.key"] == old["ca"]["ca.key"], "still signs with the one that everybody knows"
    assert announced["tls"]["ca.crt"] == old["ca"]["ca.crt"] + announced["ca"]["next.crt"]
    _helm(cluster, "upgrade", CHART, *VALUES)
    assert _secrets(cluster)["ca"] == announced["ca"], "not within a day"
    _age(cluster, seconds=2 * 86_400)
    _helm(cluster, "upgrade", CHART, *VALUES)
    replaced = _secrets(cluster)
    assert replaced["ca"]["ca.key"] == announced["ca"]["next.key"]
    assert replaced["tls"]["ca.crt"] == announced["ca"]["next.crt"] + old["ca"]["ca.crt"]
    _certificate(replaced["tls"]["tls.crt"]).verify_directly_issued_by(_certificate(replaced["ca"]["ca.crt"]))


def _secrets(plane: Plane) -> dict[str, dict[str, bytes]]:
    def read(name: str) -> dict[str, bytes]:
        found = json.loads(plane.kubectl("-n", "trivium-system", "get", "secret", f"trivium-progress-{name}", "-ojson"))
        return {key: b64decode(value) for key, value in found["data"].items()}

    return {name: read(name) for name in ("ca", "tls")}


def _age(plane: Plane, *, seconds: int) -> None:
    """As Helm itself wrote it, so long ago."""
    found = plane.kubectl("-n", "trivium-system", "get", "secret", "trivium-progress-ca", "-ojson")
    secret = json.loads(found)
    kept = ("annotations", "labels", "name", "namespace")
    secret["metadata"] = {key: secret["metadata"][key] for key in kept}
    made = int(b64decode(secret["data"]["made"])) - seconds
    secret["data"]["made"] = b64encode(str(made).encode()).decode()
    apply = ("apply", "--server-side", "--force-conflicts", "--field-manager=helm", "-f", "-")
    plane.kubectl(*apply, stdin=json.dumps(secret))


def _certificate(pem: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem)


def test_a_lease_that_is_held_survives_upgrade_and_rollback_and_crds_and_jobs_survive_the_end(cluster: Plane) -> None:
    job = _job()
    _create(cluster, job)
    hold = json.dumps({"spec": {"holderIdentity": "pod-0-abcd", "leaseDurationSeconds": 15}})
    lease = ("-n", "trivium-system", "lease", "trivium-operator")
    cluster.kubectl("patch", *lease, "--type=merge", "-p", hold)
    _helm(cluster, "upgrade", CHART, *VALUES, "--set", "operator.workers=8")
    _helm(cluster, "rollback")
    assert json.loads(cluster.kubectl("get", *lease, "-ojson"))["spec"]["holderIdentity"] == "pod-0-abcd"
    _helm(cluster, "uninstall")
    assert job["metadata"]["name"] in cluster.kubectl("-n", "tenant", "get", "sftjobs")
    assert "No resources found" not in cluster.kubectl("get", "computeprofiles")
    left = cluster.kubectl("-n", "trivium-system", "get", "deploy,lease,secret,service,role", "-o", "name")
    assert "trivium" not in left
    assert "trivium" not in cluster.kubectl("get", "clusterrole,validatingadmissionpolicy", "-o", "name")
    _helm(cluster, "install", CHART, *VALUES)
