"""The only reader of Kueue's Workloads. Everything else in Trivium knows `WorkloadSeen`.

Read as kueue.x-k8s.io/v1beta2, which Kueue 0.15-0.19 serve. Sources: apis/kueue/v1beta2/workload_types.go and
pkg/workload/workload.go at 0.15.0. Reasons and messages are Kueue's own words: its vocabulary changes between releases
(0.19 has nine reasons where 0.15 had three), so they are shown, and only the reasons of an eviction are understood.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from trivium.domain.end_record import clean_text

JOB_UID_LABEL = "kueue.x-k8s.io/job-uid"
"""Label of a Workload: the uid of the RayJob that it stands for. Its name is Kueue's affair."""
_MAX_REASON, _MAX_MESSAGE = 128, 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What one condition says, in Kueue's words. An empty reason: it is not a word that a status may hold."""

    reason: str
    message: str

    def __str__(self) -> str:
        return ". ".join(part for part in (self.reason, self.message) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadSeen:
    """What Kueue thinks of one RayJob. Conditions that are not there, or say the opposite, are None."""

    name: str
    queue: str = ""
    """LocalQueue; the namespace's own where the RayJob named none."""
    cluster_queue: str = ""
    """ClusterQueue that has reserved quota."""
    flavors: tuple[str, ...] = ()
    """ResourceFlavors of its pods, by name."""
    active: bool = True
    """Whether Kueue may admit it; False: somebody, or Kueue itself, has deactivated it."""
    reserved: Said | None = None
    """It has quota."""
    unreserved: Said | None = None
    """It has none: why."""
    admitted: bool = False
    evicted: Said | None = None
    """Its quota is taken, and it has not got any since."""
    deactivation: Said | None = None
    """Kueue is about to deactivate it."""
    finished: Said | None = None
    checks: tuple[str, ...] = ()
    """Admission checks that are not ready, each with its state and message."""


def read_workload(manifests: Iterable[Mapping[str, Any]]) -> WorkloadSeen | None:
    """The newest Workload of a RayJob; None if it has none, or only one that is being deleted."""
    living = [one for one in manifests if not one["metadata"].get("deletionTimestamp")]
    if not living:
        return None
    newest = max(living, key=lambda one: (one["metadata"].get("creationTimestamp") or "", one["metadata"]["name"]))
    return _read(newest)


def _read(manifest: Mapping[str, Any]) -> WorkloadSeen:
    spec, status = manifest.get("spec") or {}, manifest.get("status") or {}
    admission = status.get("admission") or {}
    true = {c.get("type"): _said(c) for c in status.get("conditions") or () if c.get("status") == "True"}
    false = {c.get("type"): _said(c) for c in status.get("conditions") or () if c.get("status") == "False"}
    return WorkloadSeen(
        name=manifest["metadata"]["name"],
        queue=str(spec.get("queueName") or ""),
        cluster_queue=str(admission.get("clusterQueue") or ""),
        flavors=_flavors(admission),
        active=spec.get("active") is not False,
        reserved=true.get("QuotaReserved"),
        unreserved=false.get("QuotaReserved"),
        admitted="Admitted" in true,
        evicted=true.get("Evicted"),
        deactivation=true.get("DeactivationTarget"),
        finished=true.get("Finished"),
        checks=tuple(_check(one) for one in status.get("admissionChecks") or () if one.get("state") != "Ready"),
    )


def _said(condition: Mapping[str, Any]) -> Said:
    reason = str(condition.get("reason") or "")
    known = re.fullmatch(r"[A-Za-z][A-Za-z0-9]*", reason) is not None and len(reason) <= _MAX_REASON
    message = clean_text(str(condition.get("message") or ""), limit=_MAX_MESSAGE)
    return Said(reason=reason if known else "", message=str(message).strip())


def _flavors(admission: Mapping[str, Any]) -> tuple[str, ...]:
    assignments = admission.get("podSetAssignments") or ()
    return tuple(sorted({str(name) for one in assignments for name in (one.get("flavors") or {}).values()}))


def _check(state: Mapping[str, Any]) -> str:
    words = [str(state.get(part) or "") for part in ("name", "state", "message")]
    return str(clean_text(": ".join(word for word in words if word), limit=512))


def project_workload(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of a Workload: what is read above. Its pod templates and topology are many times as large."""
    spec, status = manifest.get("spec") or {}, manifest.get("status") or {}
    kept: dict[str, Any] = {"conditions": [_project_condition(one) for one in status.get("conditions") or ()]}
    if status.get("admission"):
        kept["admission"] = _project_admission(status["admission"])
    if status.get("admissionChecks"):
        kept["admissionChecks"] = [_pick(one, "name", "state", "message") for one in status["admissionChecks"]]
    return {
        "apiVersion": manifest.get("apiVersion"),
        "kind": manifest["kind"],
        "spec": _pick(spec, "queueName", "active"),
        "status": kept,
    }


def _project_condition(condition: Mapping[str, Any]) -> dict[str, Any]:
    kept = _pick(condition, "type", "status", "reason", "message")
    return kept | {"message": str(kept.get("message") or "")[:_MAX_MESSAGE]}


def _project_admission(admission: Mapping[str, Any]) -> dict[str, Any]:
    assignments = [_pick(one, "flavors") for one in admission.get("podSetAssignments") or ()]
    return _pick(admission, "clusterQueue") | {"podSetAssignments": assignments}


def _pick(block: Mapping[str, Any], *fields: str) -> dict[str, Any]:
    return {field: block[field] for field in fields if field in block}
