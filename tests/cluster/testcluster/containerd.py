"""containerd with runc, all of its state in one folder, and a network of one bridge."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from testcluster.control_plane import POD_CIDR
from testcluster.images import PAUSE
from testcluster.processes import Process
from testcluster.programs import MissingToolError

CNI_PROGRAMS = Path("/usr/lib/cni")
ENVIRONMENT_RUNTIME = "environment"
"""Handler of the runtime class whose containers see the Python packages of this machine."""

_CONFIG = """
version = 2
root = "{folder}/root"
state = "/run/testcluster/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.aufs", "io.containerd.tracing.processor.v1.otlp"]

[grpc]
address = "{folder}/containerd.sock"

[plugins."io.containerd.internal.v1.opt"]
path = "{folder}/opt"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "docker.io/{pause}"
restrict_oom_score_adj = true
disable_apparmor = true

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{cni_programs}"
conf_dir = "{folder}/cni"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.{environment}]
runtime_type = "io.containerd.runc.v2"
base_runtime_spec = "{folder}/environment.json"
"""


def socket(folder: Path) -> Path:
    """Where containerd listens; the path works from outside the namespaces too."""
    return folder / "containerd.sock"


def check_tools() -> None:
    """Raises MissingToolError with the package that is missing."""
    for tool in ("containerd", "ctr", "runc", "iptables", "ip", "nsenter", "unshare"):
        if shutil.which(tool) is None:
            package = {"ctr": "containerd", "ip": "iproute2", "nsenter": "util-linux", "unshare": "util-linux"}
            raise MissingToolError(
                f"{tool} is missing: install it (Debian: apt-get install {package.get(tool, tool)})."
            )
    if not (CNI_PROGRAMS / "bridge").exists():
        raise MissingToolError("The CNI plugins are missing: apt-get install containernetworking-plugins.")


def containerd(folder: Path, *, mounts: Mapping[str, str]) -> Process:
    """The process, not started. `mounts`: what containers of the runtime class `environment` see, by where they see it."""
    (folder / "cni").mkdir(parents=True, exist_ok=True)
    config = _CONFIG.format(folder=folder, pause=PAUSE, cni_programs=CNI_PROGRAMS, environment=ENVIRONMENT_RUNTIME)
    (folder / "config.toml").write_text(config)
    (folder / "cni" / "10-bridge.conflist").write_text(json.dumps(_network(folder)))
    (folder / "environment.json").write_text(json.dumps(_spec_with(mounts)))
    return Process("containerd", ["containerd", "--config", folder / "config.toml"], folder=folder)


def import_image(folder: Path, tar: Path) -> None:
    """Make the images of a tar known to the node."""
    command = ["ctr", "--address", str(socket(folder)), "--namespace", "k8s.io", "images", "import", str(tar)]
    subprocess.run(command, check=True, capture_output=True)


def answers(folder: Path) -> bool:
    """Whether containerd serves."""
    command = ["ctr", "--address", str(socket(folder)), "--connect-timeout", "1s", "version"]
    return socket(folder).exists() and subprocess.run(command, check=False, capture_output=True).returncode == 0


def _network(folder: Path) -> dict[str, Any]:
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "dataDir": str(folder / "addresses"),
            "ranges": [[{"subnet": POD_CIDR}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "0.4.0", "name": "pods", "plugins": [bridge, ports]}


def _spec_with(mounts: Mapping[str, str]) -> dict[str, Any]:
    """containerd's default container with read-only mounts: gigabytes of Python packages need no image of their own."""
    said = subprocess.run(["ctr", "oci", "spec"], check=True, capture_output=True, text=True).stdout
    spec: dict[str, Any] = json.loads(said)
    spec["mounts"] += [
        {"destination": inside, "source": outside, "type": "bind", "options": ["rbind", "ro"]}
        for inside, outside in mounts.items()
    ]
    return spec
