"""Replicas of the operator as real processes, against a control plane of their own: nobody else's jobs disturb."""

import json
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml

from testcluster.control_plane import Plane, User, control_plane
from testcluster.processes import Process

EXAMPLES = Path(__file__).parents[3] / "examples"
NAMESPACE = "trivium-system"
REPLICAS = ("replica-a", "replica-b")
T = TypeVar("T")


def free_port() -> int:
    """Of the loopback interface, free at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def wait_for(look: Callable[[], T], *, seconds: float = 60) -> T:
    """What `look` says once it is true. A real cluster acts when it comes to it; nothing else tells us when."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"still {found!r} after {seconds:.0f} s"
        time.sleep(0.1)
    return found


@dataclass(kw_only=True)
class World:
    """A control plane and the replicas that run on it."""

    plane: Plane
    folder: Path
    stack: ExitStack
    replicas: dict[str, Process] = field(default_factory=dict)
    metrics_ports: dict[str, int] = field(default_factory=dict)

    def start(self, name: str, **further: str) -> Process:
        """Start (again) one replica; each is a user of its own, so that the audit log tells them apart."""
        settings = {
            "TRIVIUM_KUBECONFIG": str(self.plane.kubeconfig_of(f"token-of-{name}", name=name)),
            "TRIVIUM_NAMESPACE": NAMESPACE,
            "TRIVIUM_PROBE_PORT": "0",
            "TRIVIUM_METRICS_PORT": str(self.metrics_ports.setdefault(name, free_port())),
            "POD_NAME": name,
            **further,
        }
        command = ["/usr/bin/env", *(f"{key}={value}" for key, value in settings.items())]
        process = Process(name, [*command, sys.executable, "-m", "trivium", "operator"], folder=self.folder)
        self.stack.callback(process.kill)
        self.replicas[name] = process
        process.start()
        return process

    def holder(self) -> str:
        """Which replica holds the Lease; empty for none."""
        found = self.get("lease", "trivium-operator", namespace=NAMESPACE)
        return str(found["spec"].get("holderIdentity") or "").rpartition("-")[0]

    def get(self, kind: str, name: str, *, namespace: str) -> dict[str, Any]:
        """One object; empty if there is none."""
        said = self.plane.kubectl("get", kind, name, "-n", namespace, "-o", "json", "--ignore-not-found")
        return json.loads(said) if said.strip() else {}

    def ray_jobs(self, namespace: str) -> list[dict[str, Any]]:
        return json.loads(self.plane.kubectl("get", "rayjobs", "-n", namespace, "-o", "json"))["items"]

    def add_namespace(self, name: str) -> None:
        self.plane.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

    def add_job(self, namespace: str, name: str, **spec: Any) -> None:
        """The first of the example's jobs, on the profile `cpu`."""
        job = yaml.safe_load((EXAMPLES / "three-stages" / "pretrain.yaml").read_text())
        job["metadata"] = {"name": name, "namespace": namespace}
        job["spec"] |= {"compute": {"profile": "cpu"}, **spec}
        self.plane.apply(job)

    def writes(self, *, since: int = 0) -> list[tuple[str, str, str, str]]:
        """(user, verb, resource, name) of every write of a replica, Leases and events left out; line numbers count."""
        lines = self.plane.audit_log.read_text().splitlines()[since:]
        told = [json.loads(line) for line in lines]
        return [
            (one["user"]["username"], one["verb"], one["objectRef"]["resource"], one["objectRef"].get("name", ""))
            for one in told
            if one["user"]["username"] in REPLICAS
            and one["verb"] in ("create", "update", "patch", "delete")
            and one["objectRef"]["resource"] not in ("leases", "events")
        ]

    def audit_length(self) -> int:
        return len(self.plane.audit_log.read_text().splitlines())


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A control plane with the profile `cpu` and the empty Lease of an installation; no replica runs yet."""
    users = [(User(name=name, groups=("system:masters",)), f"token-of-{name}") for name in REPLICAS]
    with control_plane(tmp_path / "plane", users=users) as plane, ExitStack() as stack:
        plane.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        lease = {"name": "trivium-operator", "namespace": NAMESPACE}
        plane.apply({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": lease})
        plane.apply(yaml.safe_load((EXAMPLES / "compute-profiles" / "cpu.yaml").read_text()))
        yield World(plane=plane, folder=tmp_path, stack=stack)
