"""What pods say about an attempt that cannot say it itself: exit codes, memory kills, images, nodes.

KubeRay deletes failed pods and makes new ones, so the store keeps the last evidence of a pod beyond its deletion.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from trivium.domain.end_record import clean_text

_ROLES: Mapping[Any, Literal["head", "worker"]] = {"head": "head", "worker": "worker"}
_IMAGE_REASONS = frozenset({"ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull"})
_CONFIGURATION_REASONS = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
_DISRUPTIONS = frozenset(
    {"PreemptionByScheduler", "DeletionByTaintManager", "EvictionByEvictionAPI", "TerminationByKubelet"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PodEvidence:
    """One pod's part in how an attempt starts or ends. Absent facts are None."""

    pod: str
    node: str | None = None
    cluster: str | None = None
    """The RayCluster that it belongs to."""
    role: Literal["head", "worker"] | None = None
    """What KubeRay's label says; None for the submitter."""
    exit_code: int | None = None
    out_of_memory: bool = False
    image_error: str | None = None
    """The kubelet's message about an image that cannot be pulled."""
    configuration_error: str | None = None
    """The kubelet's message about a mount, Secret or command that keeps the container from starting."""
    unschedulable: str | None = None
    """The scheduler's message, while no node fits."""
    disruption: str | None = None
    """Why the platform took the pod away (a reason of the condition DisruptionTarget, or `Evicted`)."""
    disruption_message: str = ""
    """The platform's own words for it."""

    @property
    def is_trouble(self) -> bool:
        """Whether the pod says anything beyond being alive."""
        return self.exit_code not in (None, 0) or any(
            (self.out_of_memory, self.image_error, self.configuration_error, self.unschedulable, self.disruption)
        )

    def after_deletion(self) -> "PodEvidence":
        """What stays true of a pod that is gone: how it ended, not what it waited for."""
        return replace(self, image_error=None, configuration_error=None, unschedulable=None)


def read_pod_evidence(pod: Mapping[str, Any]) -> PodEvidence:
    """The evidence in one pod manifest; tolerant of missing parts."""
    metadata, spec, status = (pod.get(part) or {} for part in ("metadata", "spec", "status"))
    containers = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    terminated = _terminated(containers)
    waiting = [(c.get("state") or {}).get("waiting") or {} for c in containers]
    return PodEvidence(
        pod=metadata.get("name", ""),
        node=spec.get("nodeName"),
        cluster=(metadata.get("labels") or {}).get("ray.io/cluster"),
        role=_ROLES.get((metadata.get("labels") or {}).get("ray.io/node-type")),
        exit_code=terminated.get("exitCode"),
        out_of_memory=terminated.get("reason") == "OOMKilled",
        image_error=_waiting_message(waiting, _IMAGE_REASONS),
        configuration_error=_waiting_message(waiting, _CONFIGURATION_REASONS),
        unschedulable=_unschedulable(status),
        disruption=_disruption(status),
        disruption_message=_disruption_message(status),
    )


def missing_workers(evidence: tuple[PodEvidence, ...]) -> int:
    """Workers that no node has room for."""
    return sum(one.role == "worker" and one.unschedulable is not None for one in evidence)


def merge_evidence(old: PodEvidence, new: PodEvidence) -> PodEvidence:
    """Newer waiting reasons and conditions win; an end that was once seen stays, for a restart erases it."""
    ended = new if new.exit_code is not None or old.exit_code is None else old
    return PodEvidence(
        pod=new.pod,
        node=new.node or old.node,
        cluster=new.cluster or old.cluster,
        role=new.role or old.role,
        exit_code=ended.exit_code,
        out_of_memory=old.out_of_memory or new.out_of_memory,
        image_error=new.image_error,
        configuration_error=new.configuration_error,
        unschedulable=new.unschedulable,
        disruption=new.disruption or old.disruption,
        disruption_message=new.disruption_message or old.disruption_message,
    )


def _terminated(containers: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The worst end among the containers: a non-zero one before a clean one, now before earlier."""
    ends = [
        end
        for container in containers
        for key in ("state", "lastState")
        if (end := (container.get(key) or {}).get("terminated"))
    ]
    return next((end for end in ends if end.get("exitCode")), ends[0] if ends else {})


def _waiting_message(waiting: list[Mapping[str, Any]], reasons: frozenset[str]) -> str | None:
    for state in waiting:
        if state.get("reason") in reasons:
            return str(clean_text(f"{state['reason']}: {state.get('message', '')}", limit=512))
    return None


def _unschedulable(status: Mapping[str, Any]) -> str | None:
    for condition in status.get("conditions") or ():
        # Any other reason of PodScheduled=False (SchedulingGated) is Kueue's topology at work, not trouble.
        if (condition.get("type"), condition.get("reason")) == ("PodScheduled", "Unschedulable"):
            return str(clean_text(condition.get("message") or "no node fits", limit=512))
    return None


def _disruption(status: Mapping[str, Any]) -> str | None:
    for condition in status.get("conditions") or ():
        if (condition.get("type"), condition.get("status")) == ("DisruptionTarget", "True"):
            reason = str(condition.get("reason", ""))
            return reason if reason in _DISRUPTIONS else "DisruptionTarget"
    return "Evicted" if status.get("reason") == "Evicted" else None


def _disruption_message(status: Mapping[str, Any]) -> str:
    if _disruption(status) is None:
        return ""
    said = [c.get("message") for c in status.get("conditions") or () if c.get("type") == "DisruptionTarget"]
    return str(clean_text(next((text for text in (*said, status.get("message")) if text), ""), limit=512))
