"""What every policy is given: the job, its status with the newest facts in it, what is observed, and the time."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from trivium.api import ComputeProfile, Job
from trivium.api.inspection import Inspection
from trivium.api.plan_status import Plan, PlanOutcome
from trivium.api.status import Attempt, JobStatus, StageName, StageStatus
from trivium.domain.observation import Observation

STAGES: tuple[StageName, ...] = ("prepare", "train")
"""Every kind of today: a CPU stage that sees the data, then the one that trains."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRefused:
    """Why a stage cannot be planned: field, value, rule, way out."""

    message: str


class Planner(Protocol):
    """What decisions need of planning and render, which stand beside and above them."""

    def plan_stage(
        self,
        job: Job,
        *,
        stage: StageName,
        inspection: Inspection | None,
        profile: ComputeProfile,
        previous: Plan | None,
    ) -> Plan | PlanRefused:
        """How a stage runs on a profile; provisional without an inspection.

        What is frozen for the job's life, and what checkpoints depend on, is taken from `previous`.
        """

    def shrink(self, plan: Plan) -> Plan | None:
        """The same global batch in smaller micro-batches; None if there are none smaller."""

    def measure_outcome(
        self, job: Job, *, status: JobStatus, plan: Plan, profile: ComputeProfile | None, memory_bytes: int | None
    ) -> PlanOutcome | None:
        """What a training stage took that has just ended well; None where its trainer told no times."""

    def name_of_run(self, job: Job, *, stage: StageName, number: int) -> str:
        """The name of an attempt's RayJob."""

    def spec_digest(self, job: Job) -> str:
        """SHA-256 of the immutable part of the spec."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the operator's settings say about decisions."""

    progress_interval: timedelta = timedelta(seconds=10)
    """At most one status write in this long for progress alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Read-only; a policy looks at it and gives a verdict or none."""

    job: Job
    status: JobStatus
    """As recorded, with the facts of this pass folded in; what a pass decides is not in it yet."""
    observation: Observation
    planner: Planner
    limits: Limits
    now: datetime

    @property
    def last_attempt(self) -> Attempt | None:
        """The newest attempt, living or ended."""
        return self.status.attempts[-1] if self.status.attempts else None

    @property
    def living(self) -> Attempt | None:
        """The attempt whose end is not recorded."""
        last = self.last_attempt
        return last if last is not None and last.ended_at is None else None

    @property
    def stage(self) -> StageStatus | None:
        """The first stage that is not over; None when all are, or none is planned."""
        return next((stage for stage in self.status.stages if stage.state != "Succeeded"), None)

    def after(self, moment: datetime, *, seconds: float) -> datetime:
        """A time later than `moment`, in whole seconds as Kubernetes keeps them, rounded up."""
        later = moment + timedelta(seconds=seconds)
        return later.replace(microsecond=0) + timedelta(seconds=later.microsecond > 0)


def micro_batch_size(plan: Plan, *, workers: int) -> int:
    """Of an attempt with so many workers; 0 where nothing is trained. A size that was never planned counts as all."""
    ranks = workers * max(1, plan.gpus_per_worker)
    return next((size.micro_batch_size for size in plan.sizes if size.world_size == ranks), _of_all(plan))


def _of_all(plan: Plan) -> int:
    return max(plan.sizes, key=lambda size: size.world_size).micro_batch_size if plan.sizes else 0


def update(status: JobStatus, **changes: Any) -> JobStatus:
    """A copy with fields replaced, validated: a status that the API server would refuse is a bug to see here."""
    fields = {name: getattr(status, name) for name in JobStatus.model_fields}
    return JobStatus.model_validate(fields | changes)


def with_last_attempt(status: JobStatus, **changes: Any) -> JobStatus:
    """A copy whose newest attempt has fields replaced."""
    *earlier, last = status.attempts
    return update(status, attempts=(*earlier, Attempt.model_validate(_fields(last) | changes)))


def with_stage(status: JobStatus, name: StageName, **changes: Any) -> JobStatus:
    """A copy whose stage of this name has fields replaced."""
    return update(
        status,
        stages=tuple(
            StageStatus.model_validate(_fields(stage) | changes) if stage.name == name else stage
            for stage in status.stages
        ),
    )


def _fields(block: Attempt | StageStatus) -> dict[str, Any]:
    return {name: getattr(block, name) for name in type(block).model_fields}
