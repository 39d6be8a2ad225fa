"""How the node's network namespace meets the rest of the machine, its Services, and the names in it."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from testcluster.control_plane import POD_CIDR
from testcluster.processes import Process
from testcluster.programs import binary

_COREDNS = """.:53 {{
  bind {address}
  errors
  health 127.0.0.1:8080
  ready 127.0.0.1:8181
  kubernetes cluster.local in-addr.arpa {{
    kubeconfig {kubeconfig}
    pods insecure
    ttl 5
  }}
  cache 5 {{
    denial 0
  }}
}}
"""

_KUBE_PROXY = """apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
clusterCIDR: {pods}
clientConnection: {{kubeconfig: {kubeconfig}}}
conntrack: {{maxPerCore: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A pair of virtual interfaces: one end here, the other in the node's namespace, where all listen on `inside`."""

    name: str
    outside: str
    inside: str


def make_link(node_pid: int) -> Link:
    """Join the namespace of a process to ours; the pair vanishes with that namespace, some time. Needs root."""
    taken = _run("ip", "-o", "-4", "addr", "show")
    number = next(n for n in range(1, 255) if f" 172.30.{n}." not in taken)
    link = Link(name=f"trivium{number}", outside=f"172.30.{number}.1", inside=f"172.30.{number}.2")
    _run("ip", "link", "add", link.name, "type", "veth", "peer", "name", "node0", "netns", str(node_pid))
    _run("ip", "addr", "add", f"{link.outside}/24", "dev", link.name)
    _run("ip", "link", "set", link.name, "up")
    inside = ["nsenter", "--target", str(node_pid), "--net", "ip"]
    _run(*inside, "addr", "add", f"{link.inside}/24", "dev", "node0")
    _run(*inside, "link", "set", "lo", "up")
    _run(*inside, "link", "set", "node0", "up")
    # kubelet and API server look for a default route to tell which address is theirs.
    _run(*inside, "route", "add", "default", "via", link.outside)
    return link


def remove_link(name: str) -> None:
    """At once: the kernel takes up to minutes to bury a namespace whose connections were open."""
    subprocess.run(["ip", "link", "delete", name], check=False, capture_output=True)  # it may be gone by itself


def forward_packets() -> None:
    """Called inside the namespace: pods reach Services through it."""
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    bridged = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
    if bridged.exists():
        bridged.write_text("1")  # a Service of two pods on the same bridge


def coredns(folder: Path, *, kubeconfig: Path, address: str) -> Process:
    """The process, not started: it answers for `cluster.local` and for nothing else."""
    (folder / "Corefile").write_text(_COREDNS.format(address=address, kubeconfig=kubeconfig))
    return Process("coredns", [binary("coredns"), "-conf", folder / "Corefile"], folder=folder)


def kube_proxy(folder: Path, *, kubeconfig: Path, node: str) -> Process:
    """The process, not started."""
    config = folder / "kube-proxy.yaml"
    config.write_text(_KUBE_PROXY.format(pods=POD_CIDR, kubeconfig=kubeconfig))
    command = [binary("kube-proxy"), f"--config={config}", f"--hostname-override={node}"]
    return Process("kube-proxy", command, folder=folder)


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, env=dict(os.environ)).stdout
