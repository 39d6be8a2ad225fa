"""Nodes, the scheduler and the kubelets: pods wait, run, end, and vanish with their node, with or without a trace."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from simulator.api_server import ApiServer
from simulator.loop import VirtualLoop
from trivium.ports import Manifest, ObjectKey
from trivium.store import key_of, uid_of

GPU = "nvidia.com/gpu"
NODE_SECONDS_TO_DEATH = 45.0
"""From a node's silence to the deletion of its pods. Kubernetes gives 40 s, and then 300 s by default."""
_MOUNT_RETRY_SECONDS = 5.0


@dataclass(kw_only=True)
class Node:
    name: str
    gpus: int
    used: int = 0
    alive: bool = True


@dataclass(kw_only=True, eq=False)
class Pod:
    """One pod and who waits for it."""

    key: ObjectKey
    uid: str
    role: str
    gpus: int
    on_change: Callable[["Pod"], None]
    node: Node | None = None
    running: bool = False
    ended: bool = False
    gone: bool = False


@dataclass(kw_only=True)
class Nodes:
    """Where pods run."""

    loop: VirtualLoop
    server: ApiServer
    random: Any
    nodes: dict[str, Node]
    image_broken_until: float = 0.0
    _pods: dict[ObjectKey, Pod] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.server.listeners.append(self._hear)

    def launch(
        self, name: str, *, owner: Manifest, template: Manifest, role: str, on_change: Callable[[Pod], None]
    ) -> Pod:
        """Create a pod; `on_change` is told when it runs, has ended, or is gone."""
        reference = {"kind": owner["kind"], "name": owner["metadata"]["name"], "uid": uid_of(owner), "controller": True}
        manifest = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "namespace": owner["metadata"]["namespace"],
                "labels": {**(template.get("metadata") or {}).get("labels", {}), "ray.io/node-type": role},
                "ownerReferences": [reference],
            },
            "spec": template["spec"],
            "status": {"phase": "Pending"},
        }
        written = self.server.create(manifest)
        limits = template["spec"]["containers"][0]["resources"].get("limits") or {}
        pod = Pod(
            key=key_of(written), uid=uid_of(written), role=role, gpus=int(limits.get(GPU, 0)), on_change=on_change
        )
        self._pods[pod.key] = pod
        self.loop.call_later(self.random.uniform(0.2, 1.0), self._place, pod)
        return pod

    def held_gpus(self) -> int:
        return sum(node.used for node in self.nodes.values())

    def pods(self) -> list[Pod]:
        return [pod for pod in self._pods.values() if not pod.gone]

    def remove(self, pod: Pod) -> None:
        """Delete a pod, as its owner does."""
        self.server.delete(pod.key, uid=pod.uid)

    def end(self, pod: Pod, *, exit_code: int, reason: str = "Error", disruption: str | None = None) -> None:
        """The container of a pod is over; the kubelet says how."""
        if pod.gone or pod.ended:
            return
        pod.ended, pod.running = True, False
        self._release(pod)
        conditions = [{"type": "DisruptionTarget", "status": "True", "reason": disruption}] if disruption else []
        end = {"terminated": {"exitCode": exit_code, "reason": reason}}
        status = {"phase": "Failed" if exit_code else "Succeeded", "conditions": conditions}
        self._show(pod, {**status, "containerStatuses": [{"name": "ray", "state": end}]})
        pod.on_change(pod)

    def lose(self, name: str, *, seconds: float, with_evidence: bool) -> None:
        """A node stops: its processes at once, its pods when the cluster notices. It comes back empty."""
        node = self.nodes[name]
        if not node.alive:
            return
        node.alive = False
        victims = [pod for pod in self.pods() if pod.node is node and not pod.ended]
        for pod in victims:
            pod.ended, pod.running = True, False
            self._release(pod)
            pod.on_change(pod)
        self.loop.call_later(NODE_SECONDS_TO_DEATH, self._bury, victims, with_evidence)
        self.loop.call_later(seconds, self._return, node)

    def retry_all(self) -> None:
        """Room was made: the scheduler tries the pods that wait."""
        for pod in self.pods():
            if pod.node is None and not pod.ended:
                self.loop.call_later(0.1, self._place, pod)

    def _bury(self, victims: list[Pod], with_evidence: bool) -> None:
        for pod in victims:
            if pod.gone:
                continue
            if with_evidence:
                reason = {"type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager"}
                self._show(pod, {"phase": "Failed", "conditions": [reason]})
            self.remove(pod)

    def _return(self, node: Node) -> None:
        node.alive = True
        self.retry_all()

    def _place(self, pod: Pod) -> None:
        if pod.gone or pod.ended or pod.node is not None:
            return
        shunned = _excluded_nodes(self.server.get(pod.key) or {})
        fitting = [n for n in self.nodes.values() if n.alive and n.gpus - n.used >= pod.gpus and n.name not in shunned]
        if not fitting:
            full = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0 nodes fit"}
            self._show(pod, {"phase": "Pending", "conditions": [full]})
            return
        node = max(fitting, key=lambda one: (one.gpus - one.used, one.name))
        pod.node, node.used = node, node.used + pod.gpus
        live = self.server.get(pod.key)
        assert live is not None
        self.server.update(pod.key, spec={**live["spec"], "nodeName": node.name}, status={"phase": "Pending"})
        self.loop.call_later(self.random.uniform(1.0, 6.0), self._start, pod)

    def _start(self, pod: Pod) -> None:
        live = self.server.get(pod.key)
        if pod.gone or pod.ended or live is None:
            return
        if self.loop.time() < self.image_broken_until:
            waiting = {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}
            self._show(pod, {"phase": "Pending", "containerStatuses": [{"name": "ray", "state": waiting}]})
        elif _mounts_exist(live, self.server):
            pod.running = True
            self._show(pod, {"phase": "Running", "containerStatuses": [{"name": "ray", "state": {"running": {}}}]})
            pod.on_change(pod)
            return
        self.loop.call_later(_MOUNT_RETRY_SECONDS, self._start, pod)

    def _show(self, pod: Pod, status: Manifest) -> None:
        if self.server.get(pod.key) is not None:
            self.server.update(pod.key, status=status)

    def _release(self, pod: Pod) -> None:
        if pod.node is not None:
            pod.node.used -= pod.gpus
            pod.node = None
            self.retry_all()

    def _hear(self, event: str, manifest: Manifest) -> None:
        if event != "DELETED" or manifest["kind"] != "Pod":
            return
        pod = self._pods.pop(key_of(manifest), None)
        if pod is not None:
            pod.gone, pod.running, pod.ended = True, False, True
            self._release(pod)
            pod.on_change(pod)


def _mounts_exist(pod: Manifest, server: ApiServer) -> bool:
    """A ConfigMap that is not there keeps a pod in ContainerCreating, without a reason in its status."""
    names = [volume["configMap"]["name"] for volume in pod["spec"].get("volumes") or () if "configMap" in volume]
    for volume in pod["spec"].get("volumes") or ():
        sources = (volume.get("projected") or {}).get("sources") or ()
        names += [source["configMap"]["name"] for source in sources if "configMap" in source]
    namespace = pod["metadata"]["namespace"]
    return all(server.get(ObjectKey(kind="ConfigMap", namespace=namespace, name=name)) is not None for name in names)


def _excluded_nodes(pod: Manifest) -> frozenset[str]:
    """Nodes that the required affinity forbids, for pods that have one."""
    text = json.dumps((pod.get("spec") or {}).get("affinity") or {})
    if "NotIn" not in text:
        return frozenset()
    required = pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    rules = [rule for term in required["nodeSelectorTerms"] for rule in term.get("matchExpressions") or ()]
    return frozenset(name for rule in rules if rule["operator"] == "NotIn" for name in rule["values"])
