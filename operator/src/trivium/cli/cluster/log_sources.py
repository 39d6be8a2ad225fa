"""Whose output is the log of an attempt: its pods, by our labels. Pure.

Ray forwards what every rank prints to the driver, and KubeRay's submitter pod prints what the driver does: so that
pod's log is the trainer's, all ranks of it. Head and workers print Ray's own start, which matters where that fails.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from trivium.ports import Manifest
from trivium.render.names import JOB_UID, RUN, STAGE

_CLUSTER_LABEL = "ray.io/cluster"
_ROLE_LABEL = "ray.io/node-type"
_ORDER = {"trainer": 0, "head": 1, "worker": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSource:
    """One container that has printed, or may have."""

    pod: str
    container: str
    role: Literal["trainer", "head", "worker"]
    started: bool

    @property
    def title(self) -> str:
        """Short, and different for each pod: pods' names end in five random characters."""
        return f"{self.role}-{self.pod.rpartition('-')[2]}"


def selector(job: Manifest, attempt: Mapping[str, Any]) -> str:
    """Of the pods of an attempt."""
    run = attempt.get("run") or attempt["number"]
    return f"{JOB_UID}={job['metadata']['uid']},{STAGE}={attempt['stage']},{RUN}={run}"


def choose_sources(pods: Iterable[Manifest], *, attempt: Mapping[str, Any], all_pods: bool) -> Sequence[LogSource]:
    """The trainer's own output if there is any yet; else, or with `all_pods`, that of every pod."""
    found = sorted(
        (source for pod in pods if _is_of(pod, attempt) for source in _sources(pod)),
        key=lambda one: (_ORDER[one.role], one.pod),
    )
    trainer = [one for one in found if one.role == "trainer" and one.started]
    return trainer if trainer and not all_pods else found


def _is_of(pod: Manifest, attempt: Mapping[str, Any]) -> bool:
    """Attempts that share a RayJob (its queue took the quota back) differ in the RayCluster."""
    cluster = (pod["metadata"].get("labels") or {}).get(_CLUSTER_LABEL)
    return cluster is None or not attempt.get("rayCluster") or cluster == attempt["rayCluster"]


def _sources(pod: Manifest) -> Iterable[LogSource]:
    role = (pod["metadata"].get("labels") or {}).get(_ROLE_LABEL)
    states = {one["name"]: one for one in (pod.get("status") or {}).get("containerStatuses") or ()}
    for container in pod["spec"]["containers"]:
        state = states.get(container["name"]) or {}
        yield LogSource(
            pod=pod["metadata"]["name"],
            container=container["name"],
            role=role if role in ("head", "worker") else "trainer",
            started=any(part in (state.get("state") or {}) for part in ("running", "terminated")),
        )
