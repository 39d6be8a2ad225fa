"""What the commands meet on a cluster: jobs whose status was written by hand, a node that serves logs, a poor tenant."""

import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from typer.testing import CliRunner, Result

from testcluster.control_plane import Plane
from trivium.cli.plugin import plugin

ROOT = Path(__file__).parents[3]
Object = dict[str, Any]


class Workbench:
    """A namespace, and objects in it as the operator, KubeRay and Kueue would leave them."""

    def __init__(self, plane: Plane, namespace: str) -> None:
        self.plane = plane
        self.namespace = namespace

    def call(self, *arguments: str, kubeconfig: Path | None = None) -> Result:
        """`kubectl trivium ...` in this process."""
        where = ["--kubeconfig", str(kubeconfig or self.plane.kubeconfig), "-n", self.namespace]
        return CliRunner().invoke(plugin, [*where, *arguments])

    def make(self, manifest: Object) -> Object:
        """Create an object, its status too; as the server holds it then."""
        metadata = {"namespace": self.namespace, **manifest["metadata"]}
        manifest = {**manifest, "metadata": metadata}
        status = manifest.pop("status", None)
        self.plane.apply(manifest)
        if status is not None:
            body = {part: manifest[part] for part in ("apiVersion", "kind", "metadata")} | {"status": status}
            self._write_status(body)
        return self.read(manifest["kind"], metadata["name"])

    def set_status(self, job: Object, **status: Any) -> None:
        """Replace what the operator says of a job."""
        generation = self.read(job["kind"], job["metadata"]["name"])["metadata"]["generation"]
        names = {key: job["metadata"][key] for key in ("name", "namespace")}
        whole = {"observedGeneration": generation, **status}
        self._write_status({"apiVersion": job["apiVersion"], "kind": job["kind"], "metadata": names, "status": whole})

    def end(self, pod: str) -> None:
        """Its container has exited 0."""
        live = self.read("Pod", pod)
        ended = {"terminated": {"exitCode": 0, "reason": "Completed"}}
        statuses = [{**one, "ready": False, "state": ended} for one in live["status"]["containerStatuses"]]
        body = {key: live[key] for key in ("apiVersion", "kind")}
        body |= {"metadata": {"name": pod, "namespace": self.namespace}}
        self._write_status(body | {"status": {"phase": "Succeeded", "containerStatuses": statuses}})

    def _write_status(self, body: Object) -> None:
        arguments = ("apply", "--server-side", "--force-conflicts", "--subresource=status", "-f", "-")
        self.plane.kubectl(*arguments, stdin=yaml.safe_dump(body))

    def read(self, kind: str, name: str) -> Object:
        return json.loads(
            self.plane.kubectl("get", kind, name, "-n", self.namespace, "-o", "json", "--show-managed-fields")
        )

    def job(self, name: str = "chat", *, kind: str = "SFTJob", **status: Any) -> Object:
        """A job that the operator has seen, or has not."""
        volume = {"from": {"volume": {"claimName": "data", "path": "chat.jsonl"}}}
        spec: Object = {"data": {"train": [volume]}, "model": {"from": {"hub": {"repo": "org/model"}}}}
        made = self.make({"apiVersion": "trivium.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
        if status:
            self.set_status(made, **status)
        return self.read(kind, name)

    def pod_of(self, job: Object, attempt: Object, name: str, *, role: str | None = None, node: str = "logs") -> Object:
        """A pod of an attempt that runs, or ran, on the node of logs."""
        labels = {
            "trivium.dev/job-uid": job["metadata"]["uid"],
            "trivium.dev/stage": attempt["stage"],
            "trivium.dev/run": str(attempt["number"]),
        } | ({"ray.io/node-type": role} if role else {})
        started = {"name": "main", "image": "x", "imageID": "", "ready": True, "restartCount": 0}
        restricted = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
        return self.make(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name, "labels": labels},
                "spec": {
                    "nodeName": node,
                    "automountServiceAccountToken": False,
                    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
                    "containers": [{"name": "main", "image": "x", "securityContext": restricted}],
                },
                "status": {
                    "phase": "Running",
                    "containerStatuses": [{**started, "state": {"running": {"startedAt": ago(60)}}}],
                },
            }
        )


def ago(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def bench(plane: Plane, namespace: str) -> Workbench:
    plane.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": namespace}})
    return Workbench(plane, namespace)


@pytest.fixture
def tenant(plane: Plane, namespace: str) -> Callable[..., Path]:
    """The kubeconfig of somebody with the given rules in the namespace, and none elsewhere."""

    def make(name: str, *rules: Object) -> Path:
        meta = {"name": name, "namespace": namespace}
        rbac = "rbac.authorization.k8s.io"
        plane.apply(
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta},
            {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": meta, "rules": list(rules)},
            {
                "apiVersion": f"{rbac}/v1",
                "kind": "RoleBinding",
                "metadata": meta,
                "roleRef": {"apiGroup": rbac, "kind": "Role", "name": name},
                "subjects": [{"kind": "ServiceAccount", **meta}],
            },
        )
        token = plane.kubectl("create", "token", name, "-n", namespace).strip()
        return plane.kubeconfig_of(token, name=f"{namespace}-{name}")

    return make


def rule(group: str, *resources: str, verbs: tuple[str, ...] = ("get", "list", "watch")) -> Object:
    return {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs)}


@pytest.fixture(scope="session")
def rules() -> Callable[..., Object]:
    return rule


class LogNode:
    """The one thing of a kubelet that logs need: `/containerLogs`, asked by the API server."""

    def __init__(self, plane: Plane) -> None:
        self.lines: dict[str, list[str]] = {}
        """By pod, each with its time, as the kubelet keeps them."""
        self.open = threading.Event()
        """Set: a container has ended, so following it ends."""
        self._cut = threading.Event()
        self.asked: list[dict[str, list[str]]] = []
        node = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.0"

            def do_GET(self) -> None:
                node.answer(self)

            def log_message(self, *arguments: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificates = plane.ca_file.parent
        context.load_cert_chain(certificates / "apiserver.crt", certificates / "apiserver.key")
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def start(self, plane: Plane) -> None:
        self._thread.start()
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "logs"}}
        plane.apply(node)
        status = {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._server.server_port}},
        }
        arguments = ("apply", "--server-side", "--force-conflicts", "--subresource=status", "-f", "-")
        plane.kubectl(*arguments, stdin=yaml.safe_dump({**node, "status": status}))

    def cut(self) -> None:
        """Break one connection that follows, as a restart of the API server would."""
        self._cut.set()

    def stop(self) -> None:
        self.open.set()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(request.path)
        query = parse_qs(parts.query)
        self.asked.append(query)
        pod = parts.path.split("/")[3]
        since = query.get("sinceTime", [""])[0]
        lines = [line for line in self.lines.get(pod, []) if line[: len(since)] >= since]
        lines = lines[-int(query["tailLines"][0]) :] if "tailLines" in query else lines
        if "timestamps" not in query:
            lines = [line.partition(" ")[2] for line in lines]
        request.send_response(200)
        request.end_headers()
        request.wfile.write("".join(f"{line}\n" for line in lines).encode())
        request.wfile.flush()
        if "follow" not in query:
            return
        while not self.open.wait(0.05):
            if self._cut.is_set():
                self._cut.clear()
                request.connection.shutdown(socket.SHUT_RDWR)
                return


@pytest.fixture
def log_node(plane: Plane) -> Iterator[LogNode]:
    node = LogNode(plane)
    node.start(plane)
    yield node
    node.stop()


@pytest.fixture(scope="session")
def plugin_as_kubectl_finds_it(plane: Plane) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`kubectl trivium ...` through the real kubectl, which looks for kubectl-trivium on the PATH."""
    import os
    import sys

    from testcluster.programs import binary

    def run(*arguments: str, kubeconfig: Path | None = None) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "KUBECONFIG": str(kubeconfig or plane.kubeconfig),
            "COLUMNS": "120",
        }
        command = [str(binary("kubectl")), "trivium", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)

    return run
