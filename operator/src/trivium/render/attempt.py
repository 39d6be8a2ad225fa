"""What render is given, and what it answers: one attempt in, its children out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trivium.api import Job
from trivium.api.compute_profile import ComputeProfileSpec
from trivium.api.inspection import Inspection
from trivium.api.plan_status import Plan
from trivium.api.status import LineageEntry, Skip, StageName, UpstreamStatus
from trivium.render.names import attempt_labels, child_name

Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptInput:
    """One stage's next Ray cluster. Everything that its manifests depend on; nothing is read from anywhere else."""

    job: Job
    stage: StageName
    run_number: int
    """Counts from 1 over the life of the job; names the children."""
    plan: Plan
    """The stage's plan. Its image, Ray version and runs claim hold, whatever the profile says by now."""
    profile: ComputeProfileSpec
    """Of the plan's profile."""
    inspection: Inspection | None = None
    upstream: UpstreamStatus | None = None
    """Of `model.from.job`; required where the job names one."""
    lineage: tuple[LineageEntry, ...] = ()
    """What the model went through before this job, oldest first."""
    skips: tuple[Skip, ...] = ()
    """Data that training leaves out after divergences."""
    excluded_nodes: tuple[str, ...] = ()
    """Nodes, by name, that the pods keep away from."""
    progress_url: str | None = None
    """None: nobody receives reports."""
    ca_pem: str | None = None
    """Certificates that the progress endpoint's is checked against; None: those of the image."""
    queue: str = ""
    """Kueue LocalQueue that decides when the RayJob starts; empty: it starts at once."""
    priority: str = ""
    """WorkloadPriorityClass in that queue; empty: the queue's own."""

    @property
    def name(self) -> str:
        """Of the RayJob and of every child that belongs to this attempt alone."""
        return name_of_run(self.job, stage=self.stage, number=self.run_number)

    @property
    def labels(self) -> dict[str, str]:
        metadata = self.job.metadata
        return attempt_labels(
            kind=self.job.kind, name=metadata.name, uid=metadata.uid, stage=self.stage, run=self.run_number
        )

    def metadata(
        self, *, labels: Mapping[str, str] | None = None, annotations: Mapping[str, str] | None = None
    ) -> Manifest:
        """Of a child that goes with the job."""
        job = self.job
        owner = {
            "apiVersion": job.api_version,
            "kind": job.kind,
            "name": job.metadata.name,
            "uid": job.metadata.uid,
            "controller": True,
            "blockOwnerDeletion": True,
        }
        return {
            "name": self.name,
            "namespace": job.metadata.namespace,
            "labels": {**self.labels, **(labels or {})},
            **({"annotations": dict(annotations)} if annotations else {}),
            "ownerReferences": [owner],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Children:
    """Every object of an attempt, whole."""

    ray_job: Manifest
    """Created once, later only deleted."""
    run_config: Manifest
    """Immutable ConfigMap, created once."""
    network_policy: Manifest
    ca_bundle: Manifest | None
    """Shared by the jobs of a namespace: no owner, applied at each pass, so that a rotation arrives."""

    def manifests(self) -> tuple[Manifest, ...]:
        """In the order in which they must exist: what a pod mounts, and what guards it, before the pod."""
        shared = () if self.ca_bundle is None else (self.ca_bundle,)
        return (*shared, self.run_config, self.network_policy, self.ray_job)


def name_of_run(job: Job, *, stage: StageName, number: int) -> str:
    """The name of a run's RayJob."""
    return child_name(kind=job.kind, name=job.metadata.name, stage=stage, run=number)
