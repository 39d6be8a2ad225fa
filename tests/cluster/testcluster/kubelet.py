"""The kubelet, and GPUs that exist in the API only: scheduler, quotas and kubelet count them, no container sees one."""

import json
from collections.abc import Mapping
from pathlib import Path

import yaml

from testcluster import containerd
from testcluster.control_plane import KubectlError, Plane
from testcluster.processes import Process
from testcluster.programs import binary

NODE = "node"
USER = f"system:node:{NODE}"
GROUP = "system:nodes"


def kubelet(folder: Path, *, kubeconfig: Path, address: str, containerd_folder: Path) -> Process:
    """The process, not started."""
    root = folder / "kubelet"
    root.mkdir(parents=True, exist_ok=True)
    endpoint = f"unix://{containerd.socket(containerd_folder)}"
    config = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        # Nobody outside the node's network namespace and its one link reaches the kubelet.
        "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"},
        "address": address,
        "containerRuntimeEndpoint": endpoint,
        "cgroupDriver": "cgroupfs",
        "cgroupsPerQOS": False,
        "enforceNodeAllocatable": [],
        "failCgroupV1": False,
        "failSwapOn": False,
        "localStorageCapacityIsolation": False,
        "evictionHard": {},
        "imageGCHighThresholdPercent": 100,
        "clusterDNS": [address],
        "clusterDomain": "cluster.local",
        "resolvConf": "",
        "podLogsDir": str(folder / "pod-logs"),
        "volumePluginDir": str(root / "plugins"),
        "nodeStatusUpdateFrequency": "2s",
        "syncFrequency": "10s",
        "serializeImagePulls": False,
        "registerNode": True,
        "maxPods": 200,
    }
    (root / "config.yaml").write_text(yaml.safe_dump(config))
    command: list[str | Path] = [
        binary("kubelet"),
        f"--config={root / 'config.yaml'}",
        f"--kubeconfig={kubeconfig}",
        f"--root-dir={root}",
        f"--hostname-override={NODE}",
        f"--node-ip={address}",
        f"--cert-dir={root / 'pki'}",
    ]
    return Process("kubelet", command, folder=folder)


def node_is_ready(plane: Plane) -> bool:
    """Whether the node says so and takes pods."""
    try:
        node = json.loads(plane.kubectl("get", "node", NODE, "-o", "json"))
    except KubectlError:
        return False  # it has not registered yet
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in node["status"].get("conditions", []))
    return ready and not node["spec"].get("taints")


def add_resources(plane: Plane, resources: Mapping[str, str]) -> None:
    """Let the node have what it does not find itself, e.g. GPUs.

    Local disk too: measuring it needs a file system of the node's own, and without it no pod may ask for any.
    """
    patch = json.dumps({"status": {"capacity": resources, "allocatable": resources}})
    plane.kubectl("patch", "node", NODE, "--subresource=status", "--type=merge", "-p", patch)
