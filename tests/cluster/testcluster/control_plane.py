"""The control plane alone: etcd, API server, controller manager; a scheduler where it is asked for. No root, no node.

Everything listens on free ports of the loopback interface. Whoever is asked for in the token file is authenticated by a
static token, so no client certificates are needed; authorization is RBAC, and every request is in the audit log.
"""

import json
import secrets
import socket
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from testcluster.processes import Process
from testcluster.programs import binary, module_folder

SERVICE_CIDR = "10.0.0.0/24"
POD_CIDR = "10.244.0.0/16"
LOOPBACK = "127.0.0.1"
ISSUER = "https://kubernetes.default.svc.cluster.local"
CRD_FOLDER = Path(__file__).parents[3] / "crds"

_AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "None", "nonResourceURLs": ["/readyz*", "/livez*"]}, {"level": "Metadata"}],
}


class KubectlError(Exception):
    """kubectl said no; the message holds its words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Somebody whom the API server knows by a static token."""

    name: str
    groups: tuple[str, ...] = ()


ADMIN = User(name="admin", groups=("system:masters",))


@dataclass(kw_only=True)
class Plane:
    """A control plane that runs."""

    folder: Path
    url: str
    ca_file: Path
    kubeconfig: Path
    """Of a user who may do everything."""
    processes: dict[str, Process] = field(default_factory=dict)

    @property
    def audit_log(self) -> Path:
        """One JSON object a line: who asked what."""
        return self.folder / "audit.log"

    def kubeconfig_of(self, token: str, *, name: str) -> Path:
        """A kubeconfig that uses this bearer token."""
        path = self.folder / f"{name}.kubeconfig"
        _write_kubeconfig(path, url=self.url, ca_file=self.ca_file, token=token)
        return path

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """What kubectl printed. Raises KubectlError."""
        return kubectl(self.kubeconfig, *arguments, stdin=stdin)

    def apply(self, *manifests: dict[str, Any]) -> None:
        """Server-side apply, as an admin."""
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=yaml.safe_dump_all(manifests))

    def kill(self, name: str) -> None:
        """SIGKILL one of the programs, e.g. `kube-apiserver`."""
        self.processes[name].kill()

    def start(self, name: str) -> None:
        """Start one that was killed; returns when it is ready."""
        process = self.processes[name]
        process.start()
        if name == "kube-apiserver":
            process.wait_until(lambda: _answers(f"{self.url}/readyz", self.ca_file))

    def restart_api_server(self) -> None:
        """As an upgrade of the control plane would: every watch breaks."""
        self.kill("kube-apiserver")
        self.start("kube-apiserver")


@contextmanager
def control_plane(
    folder: Path, *, users: Sequence[tuple[User, str]] = (), scheduler: bool = False, kueue: bool = False
) -> Iterator[Plane]:
    """A running control plane with Trivium's and KubeRay's CRDs. `users`: further ones, each with its token.

    Raises programs.MissingToolError, processes.StartError.
    """
    with bare_plane(folder, users=users) as plane, ExitStack() as stack:
        if scheduler:
            _start(plane, _scheduler(plane), stack)
        _install_crds(plane, kueue=kueue)
        yield plane


@contextmanager
def plane_for_nodes(folder: Path, *, address: str, users: Sequence[tuple[User, str]] = ()) -> Iterator[Plane]:
    """One without any CRD whose API server and scheduler serve nodes and pods at `address`. Raises as control_plane."""
    with bare_plane(folder, users=users, address=address) as plane, ExitStack() as stack:
        _start(plane, _scheduler(plane), stack)
        yield plane


@contextmanager
def bare_plane(folder: Path, *, users: Sequence[tuple[User, str]] = (), address: str = LOOPBACK) -> Iterator[Plane]:
    """etcd, API server and controller manager; at another address than loopback they are ready for nodes."""
    folder.mkdir(parents=True, exist_ok=True)
    etcd_url, port = f"http://127.0.0.1:{_free_port()}", _free_port()
    admin_token = secrets.token_urlsafe(16)
    _write_files(folder, [(ADMIN, admin_token), *users])
    plane = Plane(
        folder=folder,
        url=f"https://{address}:{port}",
        ca_file=folder / "certificates" / "apiserver.crt",
        kubeconfig=folder / "admin.kubeconfig",
    )
    with ExitStack() as stack:
        api_server = _api_server(folder, etcd_url=etcd_url, address=address, port=port)
        for process in (_etcd(folder, etcd_url), api_server):
            _start(plane, process, stack)
        api_server.wait_until(lambda: plane.ca_file.exists() and _answers(f"{plane.url}/readyz", plane.ca_file))
        _write_kubeconfig(plane.kubeconfig, url=plane.url, ca_file=plane.ca_file, token=admin_token)
        _start(plane, _controller_manager(plane), stack)
        yield plane


def kubectl(kubeconfig: Path, *arguments: str, stdin: str | None = None) -> str:
    """What kubectl printed. Raises KubectlError."""
    done = subprocess.run(
        [str(binary("kubectl")), "--kubeconfig", str(kubeconfig), *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise KubectlError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def _start(plane: Plane, process: Process, stack: ExitStack) -> None:
    stack.callback(process.kill)
    plane.processes[process.name] = process
    process.start()


def _etcd(folder: Path, url: str) -> Process:
    peer = f"http://127.0.0.1:{_free_port()}"
    command = [binary("etcd"), "--data-dir", folder / "etcd", "--unsafe-no-fsync", "--log-level=warn"]
    command += ["--listen-client-urls", url, "--advertise-client-urls", url, "--listen-peer-urls", peer]
    command += ["--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}"]
    return Process("etcd", command, folder=folder)


def _api_server(folder: Path, *, etcd_url: str, address: str, port: int) -> Process:
    key = folder / "service-accounts.key"
    # Loopback is refused as an endpoint of the Service `kubernetes`; without nodes nothing uses that Service.
    nodes = ["--allow-privileged", "--kubelet-preferred-address-types=InternalIP"]
    command: list[str | Path] = [
        binary("kube-apiserver"),
        f"--etcd-servers={etcd_url}",
        f"--bind-address={address}",
        f"--advertise-address={address}",
        *(["--endpoint-reconciler-type=none"] if address == LOOPBACK else nodes),
        f"--secure-port={port}",
        f"--cert-dir={folder / 'certificates'}",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--authorization-mode=Node,RBAC",
        f"--service-cluster-ip-range={SERVICE_CIDR}",
        f"--service-account-issuer={ISSUER}",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        "--enable-admission-plugins=PodSecurity,ValidatingAdmissionPolicy",
        f"--audit-policy-file={folder / 'audit-policy.yaml'}",
        f"--audit-log-path={folder / 'audit.log'}",
    ]
    return Process("kube-apiserver", command, folder=folder)


def _controller_manager(plane: Plane) -> Process:
    command: list[str | Path] = [
        binary("kube-controller-manager"),
        f"--kubeconfig={plane.kubeconfig}",
        "--use-service-account-credentials",
        f"--service-account-private-key-file={plane.folder / 'service-accounts.key'}",
        f"--root-ca-file={plane.ca_file}",
        f"--secure-port={_free_port()}",
        f"--cert-dir={plane.folder / 'controller-manager'}",
        "--leader-elect=false",
        "--allocate-node-cidrs",
        f"--cluster-cidr={POD_CIDR}",
    ]
    return Process("kube-controller-manager", command, folder=plane.folder)


def _scheduler(plane: Plane) -> Process:
    command: list[str | Path] = [
        binary("kube-scheduler"),
        f"--kubeconfig={plane.kubeconfig}",
        f"--secure-port={_free_port()}",
        f"--cert-dir={plane.folder / 'scheduler'}",
        "--leader-elect=false",
    ]
    return Process("kube-scheduler", command, folder=plane.folder)


def _install_crds(plane: Plane, *, kueue: bool) -> None:
    """KubeRay's are too large for client-side apply."""
    kuberay = module_folder("kuberay", "github.com/ray-project/kuberay/ray-operator") / "config" / "crd" / "bases"
    names = ("ray.io_rayjobs.yaml", "ray.io_rayclusters.yaml")
    files = [*sorted(CRD_FOLDER.glob("*.yaml")), *(kuberay / name for name in names)]
    if kueue:
        files += sorted((module_folder("kueue", "sigs.k8s.io/kueue") / "config/components/crd/bases").glob("*.yaml"))
    plane.kubectl("apply", "--server-side", *(f"--filename={file}" for file in files))
    plane.processes["kube-apiserver"].wait_until(lambda: _all_established(plane))


def _all_established(plane: Plane) -> bool:
    """`kubectl wait` takes a condition that is not there yet for an error."""
    crds = json.loads(plane.kubectl("get", "crd", "-o", "json"))["items"]
    conditions = [one.get("status", {}).get("conditions") or [] for one in crds]
    return all(any(c["type"] == "Established" and c["status"] == "True" for c in each) for each in conditions)


def _write_files(folder: Path, users: Sequence[tuple[User, str]]) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    (folder / "service-accounts.key").write_bytes(pem)
    (folder / "audit-policy.yaml").write_text(yaml.safe_dump(_AUDIT_POLICY))
    lines = [f'{token},{user.name},{user.name},"{",".join(user.groups)}"' for user, token in users]
    (folder / "tokens.csv").write_text("\n".join(lines) + "\n")


def _write_kubeconfig(path: Path, *, url: str, ca_file: Path, token: str) -> None:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {"server": url, "certificate-authority": str(ca_file)}}],
        "users": [{"name": "user", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "user", "namespace": "default"}}],
        "current-context": "test",
    }
    path.write_text(json.dumps(config))
    path.chmod(0o600)


def _answers(url: str, ca_file: Path) -> bool:
    """Whether a health endpoint says ok; anonymous users may ask it."""
    try:
        context = ssl.create_default_context(cafile=str(ca_file))
        with urllib.request.urlopen(url, context=context, timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError, ssl.SSLError):
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
