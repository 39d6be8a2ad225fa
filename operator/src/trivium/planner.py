"""Brings planning and render to the decisions, with what the store knows of finished jobs."""

from trivium.api import ComputeProfile, Job
from trivium.api.inspection import Inspection
from trivium.api.plan_status import Plan, PlanOutcome
from trivium.api.status import JobStatus, StageName
from trivium.domain.situation import PlanRefused
from trivium.planning import Refusal, measure_outcome, newest_first, plan_stage, shrink
from trivium.render.attempt import name_of_run
from trivium.render.spec_digest import spec_digest
from trivium.store import Store


class StorePlanner:
    """What decisions need of the layers beside and above them (domain.situation.Planner).

    Finished jobs are looked up only when a plan is due: a pass that plans nothing must not look at all jobs.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def plan_stage(
        self,
        job: Job,
        *,
        stage: StageName,
        inspection: Inspection | None,
        profile: ComputeProfile,
        previous: Plan | None,
    ) -> Plan | PlanRefused:
        jobs = self._store.ended_jobs() if stage == "train" else ()
        finished = newest_first(jobs, profile=profile.metadata.name)
        planned = plan_stage(
            job, stage=stage, inspection=inspection, profile=profile, previous=previous, finished=finished
        )
        return PlanRefused(message=planned.message) if isinstance(planned, Refusal) else planned

    def shrink(self, plan: Plan) -> Plan | None:
        return shrink(plan)

    def measure_outcome(
        self, job: Job, *, status: JobStatus, plan: Plan, profile: ComputeProfile | None, memory_bytes: int | None
    ) -> PlanOutcome | None:
        return measure_outcome(job, status=status, plan=plan, profile=profile, memory_bytes=memory_bytes)

    def name_of_run(self, job: Job, *, stage: StageName, number: int) -> str:
        return name_of_run(job, stage=stage, number=number)

    def spec_digest(self, job: Job) -> str:
        return spec_digest(job)
