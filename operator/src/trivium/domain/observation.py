"""What can be seen of a job from outside, as one frozen value. Everything that a decision reads is here.

raw manifests (from the store, confirmed live) ──observe──> Observation ──decide──> Decision
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from trivium.api import ComputeProfile, Job, parse_profile
from trivium.api.conditions import ConditionType
from trivium.api.status import Attempt, JobStatus
from trivium.domain.conditions import is_true
from trivium.domain.end_record import EndRecord, clean_text, parse_end_record
from trivium.domain.pod_evidence import PodEvidence
from trivium.domain.ray_job_state import AttemptState, read_ray_job_state
from trivium.domain.report import ReportSnapshot
from trivium.domain.workload import WorkloadSeen, read_workload

Manifest = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RawChildren:
    """What was gathered for one pass. Manifests are as the API server returns them."""

    ray_jobs: tuple[Manifest, ...] = ()
    """Every RayJob that the job controls, confirmed where the store was in doubt."""
    name_taken_by: str | None = None
    """Who holds the name of the RayJob that status names, if it is not ours."""
    workloads: tuple[Manifest, ...] = ()
    """Kueue's, of the RayJob that status names."""
    evidence: tuple[PodEvidence, ...] = ()
    """Of the pods of the RayJob that status names."""
    report: ReportSnapshot | None = None
    """Of the attempt that status names."""
    upstream: Manifest | None = None
    profiles: tuple[Manifest, ...] = ()
    refusal: str | None = None
    """Why the API server would not have a child of the attempt that status names."""
    listening_since: datetime
    """When this process began to take in reports: silence before it is its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RayJobSeen:
    """One RayJob of the job."""

    name: str
    uid: str
    state: AttemptState
    deleting_since: datetime | None
    ray_cluster: str
    created_at: datetime | None
    starting_since: datetime | None
    """When KubeRay began to make its pods; later than the creation if it was queued."""
    reason: str
    message: str
    end: EndRecord | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamSeen:
    """The job that `model.from.job` names."""

    uid: str
    deleting: bool
    succeeded: bool
    failed: bool
    message: str
    status: JobStatus
    manifest: Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """Frozen, complete, and free of Kubernetes' spellings."""

    current: RayJobSeen | None
    """The RayJob that the last attempt of status names."""
    others: tuple[RayJobSeen, ...]
    """RayJobs of the job that no living attempt accounts for."""
    name_taken_by: str | None
    refusal: str | None
    workload: WorkloadSeen | None
    """Of the current RayJob; None: Kueue has nothing to do with it, or not yet."""
    evidence: tuple[PodEvidence, ...]
    report: ReportSnapshot | None
    upstream: UpstreamSeen | None
    profiles: Mapping[str, ComputeProfile]
    broken_profiles: Mapping[str, str]
    """Profiles that do not parse: name -> why."""
    listening_since: datetime

    @property
    def state(self) -> AttemptState:
        """What the processes of the current attempt do."""
        return AttemptState.ABSENT if self.current is None else self.current.state


def observe(raw: RawChildren, *, job: Job) -> Observation:
    """Read what was gathered. Pure; never raises for what a cluster may hold."""
    attempts = job.status.attempts if job.status is not None else ()
    current_name = attempts[-1].ray_job if attempts else None
    seen = [_read_ray_job(manifest) for manifest in raw.ray_jobs]
    profiles, broken = _read_profiles(raw.profiles)
    return Observation(
        current=next((one for one in seen if one.name == current_name), None),
        others=tuple(one for one in seen if one.name != current_name),
        name_taken_by=raw.name_taken_by,
        refusal=raw.refusal,
        workload=read_workload(raw.workloads),
        evidence=_of_this_attempt(raw.evidence, attempts),
        report=raw.report,
        upstream=_read_upstream(raw.upstream),
        profiles=profiles,
        broken_profiles=broken,
        listening_since=raw.listening_since,
    )


def _of_this_attempt(evidence: tuple[PodEvidence, ...], attempts: tuple[Attempt, ...]) -> tuple[PodEvidence, ...]:
    """Without pods of earlier attempts, which may have had the same RayJob."""
    over = {attempt.ray_cluster for attempt in attempts[:-1] if attempt.ray_cluster}
    return tuple(one for one in evidence if one.cluster not in over)


def _read_ray_job(manifest: Manifest) -> RayJobSeen:
    metadata, status = manifest["metadata"], manifest.get("status") or {}
    message = str(status.get("message") or "")
    return RayJobSeen(
        name=metadata["name"],
        uid=str(metadata.get("uid") or ""),
        state=read_ray_job_state(manifest),
        deleting_since=_read_time(metadata.get("deletionTimestamp")),
        ray_cluster=str(status.get("rayClusterName") or ""),
        created_at=_read_time(metadata.get("creationTimestamp")),
        starting_since=_read_time(status.get("startTime")),
        reason=str(status.get("reason") or ""),
        message=message,
        end=parse_end_record(message),
    )


def _read_time(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None


def _read_profiles(manifests: tuple[Manifest, ...]) -> tuple[dict[str, ComputeProfile], dict[str, str]]:
    profiles: dict[str, ComputeProfile] = {}
    broken: dict[str, str] = {}
    for manifest in manifests:
        name = manifest["metadata"]["name"]
        try:
            profiles[name] = parse_profile(manifest)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            broken[name] = clean_text(f"{'.'.join(map(str, first['loc']))}: {first['msg']}", limit=512)
    return profiles, broken


def _read_upstream(manifest: Manifest | None) -> UpstreamSeen | None:
    if manifest is None:
        return None
    status = JobStatus.model_validate(manifest.get("status") or {})
    return UpstreamSeen(
        uid=str(manifest["metadata"].get("uid") or ""),
        deleting=bool(manifest["metadata"].get("deletionTimestamp")),
        succeeded=is_true(status.conditions, ConditionType.SUCCEEDED),
        failed=is_true(status.conditions, ConditionType.FAILED),
        message=status.message,
        status=status,
        manifest=manifest,
    )
