"""A small job, a status in any state, and decisions about it with a planner that needs no planning."""

from datetime import UTC, datetime, timedelta

import pytest

from trivium.api import parse_job
from trivium.api.plan_status import Plan, PlanOutcome, SizePlan, StoragePlan
from trivium.api.status import Attempt, Failure, JobStatus, StageStatus
from trivium.domain.decide import decide
from trivium.domain.observation import RawChildren, observe
from trivium.domain.report import ProgressReport, ReportSnapshot
from trivium.domain.situation import Limits, PlanRefused, Situation, update

T0 = datetime(2026, 1, 1, tzinfo=UTC)
PLAN = Plan(
    profile="cpu",
    image="i",
    runs=StoragePlan(claim_name="runs"),
    global_batch_size=32,
    total_steps=100,
    sizes=(SizePlan(world_size=1, micro_batch_size=4, gradient_accumulation=8),),
)
PROFILE = {
    "apiVersion": "trivium.dev/v1alpha1",
    "kind": "ComputeProfile",
    "metadata": {"name": "cpu", "generation": 1},
    "spec": {"default": True, "image": "i", "rayVersion": "2.60.0", "worker": {"cpu": 4, "memory": "8Gi"}},
}


class FakePlanner:
    """Plans everything alike; shrinks by halves."""

    def plan_stage(self, job, *, stage, inspection, profile, previous):
        if job.spec.data.max_length == 666:
            return PlanRefused(message="spec.data.maxLength: 666 does not fit. Lower it.")
        unseen = stage == "train" and inspection is None and (previous is None or previous.provisional)
        return PLAN.model_copy(update={"workers": job.spec.compute.workers, "provisional": unseen})

    def shrink(self, plan):
        (size,) = plan.sizes
        if size.micro_batch_size == 1:
            return None
        smaller = SizePlan(
            world_size=1,
            micro_batch_size=size.micro_batch_size // 2,
            gradient_accumulation=size.gradient_accumulation * 2,
        )
        return plan.model_copy(update={"sizes": (smaller,)})

    def measure_outcome(self, job, *, status, plan, profile, memory_bytes):
        seconds = sum(status.seconds.values())
        return PlanOutcome(seconds=seconds, memory_bytes=memory_bytes) if seconds else None

    def name_of_run(self, job, *, stage, number):
        return f"{job.metadata.name}-{stage}-{number}"

    def spec_digest(self, job):
        return "digest"


class Case:
    """Fluent and immutable enough: each test builds one, changes it, and asks once."""

    def __init__(self):
        self.spec = {
            "model": {"from": {"hub": {"repo": "r"}}},
            "data": {"train": [{"from": {"hub": {"repo": "d"}}}], "maxLength": 256},
        }
        self.metadata = {"name": "a", "namespace": "team", "uid": "uid-a", "generation": 2}
        self.metadata["creationTimestamp"] = "2026-01-01T00:00:00Z"
        self.status = JobStatus()
        self.raw = {"profiles": (PROFILE,), "listening_since": T0}
        self.time = T0

    def with_spec(self, **blocks):
        self.spec |= blocks
        return self

    def with_metadata(self, **fields):
        self.metadata |= fields
        return self

    def planned(self, *, stage="train", **plan):
        """Both stages planned; prepare done if the stage is train."""
        self.status = self.status.model_copy(
            update={
                "stages": (
                    StageStatus(name="prepare", state="Succeeded" if stage == "train" else "Pending", plan=PLAN),
                    StageStatus(name="train", plan=PLAN.model_copy(update=plan)),
                ),
                "stage": stage,
                "plan": PLAN,
            }
        )
        return self

    def attempt(self, *, stage="train", number=1, **fields):
        """One more attempt, living unless it has an end."""
        values = {"ray_job": f"a-{stage}-{number}", "started_at": T0, "micro_batch_size": 4, "workers": 1}
        attempt = Attempt(number=number, stage=stage, **(values | fields))
        self.status = self.status.model_copy(update={"attempts": (*self.status.attempts, attempt)})
        return self

    def failed(self, failure_class="Infrastructure", *, number=1, **fields):
        failure = Failure(failure_class=failure_class, reason=fields.pop("reason", "Broken"), message="It broke.")
        ended = {"ended_at": T0, "outcome": "Failed", "failure": failure, "running_at": T0}
        return self.attempt(number=number, **(ended | fields))

    def record(self, **fields):
        self.status = update(self.status, **fields)
        return self

    def ray_job(self, deployment="Running", job="RUNNING", *, name="a-train-1", deleting=False, **status):
        metadata = {"name": name, "uid": f"uid-{name}"}
        if deleting:
            metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        values = {"jobDeploymentStatus": deployment, "jobStatus": job, **status}
        self.raw["ray_jobs"] = (*self.raw.get("ray_jobs", ()), {"metadata": metadata, "status": values})
        return self

    def workload(self, *conditions, name="rayjob-a-train-1-1a2b3", **status):
        """Kueue's Workload of the RayJob; a condition is (type, status, reason, message). `active` goes to its spec."""
        spec = {"queueName": "b"} | ({"active": status.pop("active")} if "active" in status else {})
        told = [dict(zip(("type", "status", "reason", "message"), one, strict=True)) for one in conditions]
        metadata = {"name": name, "creationTimestamp": "2026-01-01T00:00:01Z"}
        manifest = {"kind": "Workload", "metadata": metadata, "spec": spec, "status": {"conditions": told, **status}}
        self.raw["workloads"] = (*self.raw.get("workloads", ()), manifest)
        return self

    def observed(self, **raw):
        self.raw |= raw
        return self

    def reported(self, *, received=0, advanced=None, stage="train", sequence=1, **fields):
        report = ProgressReport(
            api_version="progress.trivium.dev/v1alpha1", job_uid="uid-a", stage=stage, sequence=sequence, **fields
        )
        moment = T0 + timedelta(seconds=received)
        moved = moment if advanced is None else T0 + timedelta(seconds=advanced)
        return self.observed(report=ReportSnapshot(report=report, received_at=moment, advanced_at=moved))

    def at(self, seconds):
        self.time = T0 + timedelta(seconds=seconds)
        return self

    @property
    def job(self):
        status = self.status.model_dump(mode="json", by_alias=True, exclude_none=True)
        manifest = {
            "apiVersion": "trivium.dev/v1alpha1",
            "kind": "SFTJob",
            "metadata": self.metadata,
            "spec": self.spec,
            "status": status,
        }
        return parse_job(manifest)

    @property
    def observation(self):
        return observe(RawChildren(**self.raw), job=self.job)

    @property
    def situation(self):
        return Situation(
            job=self.job,
            status=self.status,
            observation=self.observation,
            planner=FakePlanner(),
            limits=Limits(),
            now=self.time,
        )

    def decide(self):
        return decide(self.job, self.observation, now=self.time, planner=FakePlanner())


@pytest.fixture
def case():
    return Case()


@pytest.fixture
def new_case():
    return Case


@pytest.fixture
def t0():
    return T0
