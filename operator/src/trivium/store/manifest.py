"""Reading manifests: their kinds and addresses, who owns whom, which is the newer."""

from collections.abc import Mapping
from typing import Any

from trivium.domain.workload import JOB_UID_LABEL
from trivium.ports import Manifest, ObjectKey

JOB_KINDS = ("PretrainJob", "SFTJob", "PreferenceJob")
PROFILE_KIND = "ComputeProfile"
WATCHED_KINDS = (*JOB_KINDS, PROFILE_KIND, "RayJob", "Workload", "RayCluster", "Pod", "ConfigMap", "NetworkPolicy")
"""Owners before what they own, so that a list of each in turn wakes the right jobs."""
FINAL_CONDITIONS = frozenset({"Succeeded", "Failed"})


def key_of(manifest: Manifest) -> ObjectKey:
    """The address of a manifest."""
    metadata = manifest["metadata"]
    return ObjectKey(kind=manifest["kind"], namespace=metadata.get("namespace") or "", name=metadata["name"])


def uid_of(manifest: Manifest) -> str:
    """The uid of a manifest; empty before an API server has seen it."""
    return str(manifest["metadata"].get("uid") or "")


def controller_uid(manifest: Manifest) -> str | None:
    """The uid of the owner that controls a manifest."""
    for owner in manifest["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            return str(owner.get("uid"))
    return None


def owner_uid(manifest: Manifest) -> str | None:
    """The uid of the object that a manifest is kept with: its controller; of a Workload the RayJob that it stands for.

    Kueue queues much besides RayJobs: those Workloads are nobody's here.
    """
    if manifest["kind"] != "Workload":
        return controller_uid(manifest)
    owners = manifest["metadata"].get("ownerReferences") or ()
    if not any(owner.get("kind") == "RayJob" for owner in owners):
        return None
    uid = (manifest["metadata"].get("labels") or {}).get(JOB_UID_LABEL)
    return None if uid is None else str(uid)


def upstream_of(job: Manifest) -> ObjectKey | None:
    """The job that `spec.model.from.job` names; read from raw JSON, for it may be invalid otherwise."""
    reference: Any = job
    for part in ("spec", "model", "from", "job"):
        reference = reference.get(part) if isinstance(reference, Mapping) else None
    if not isinstance(reference, Mapping) or not reference.get("kind") or not reference.get("name"):
        return None
    namespace = job["metadata"].get("namespace") or ""
    return ObjectKey(kind=str(reference["kind"]), namespace=namespace, name=str(reference["name"]))


def is_final(job: Manifest) -> bool:
    """Whether a job's status says Succeeded or Failed."""
    conditions = (job.get("status") or {}).get("conditions") or ()
    return any(c.get("type") in FINAL_CONDITIONS and c.get("status") == "True" for c in conditions)


def version_of(manifest: Manifest) -> str:
    """The resourceVersion; empty before an API server has seen it."""
    return str(manifest["metadata"].get("resourceVersion") or "")


def is_at_least(manifest: Manifest | None, version: str) -> bool:
    """Whether the object is at this resourceVersion or past it. Source: KEP-5504, comparable since Kubernetes 1.35."""
    if manifest is None:
        return False
    have = version_of(manifest)
    if have.isdigit() and version.isdigit():
        return int(have) >= int(version)
    return have == version and have != ""
