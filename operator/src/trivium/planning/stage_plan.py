"""The plan of one stage: every choice resolved, with what it will need, or a refusal that says what would work.

Called by reconcile: before `prepare` (a provisional plan of `train`, so that what cannot be is refused before anything
runs), for `prepare` itself, and for `train` once the inspection is there. `trivium plan` calls it without a cluster.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from trivium.api import ComputeProfile, Job
from trivium.api.inspection import Inspection
from trivium.api.plan_status import Plan
from trivium.api.status import StageName
from trivium.planning import defaults
from trivium.planning.alternatives import ways_out
from trivium.planning.experience import FinishedStage
from trivium.planning.machines import prepare_workers
from trivium.planning.notes import explain
from trivium.planning.policy import check_policy
from trivium.planning.refusal import DoesNotFitError, PlanError, Refusal
from trivium.planning.train_plan import PlanInput, base_plan, plan_training


def plan_stage(
    job: Job,
    *,
    stage: StageName,
    inspection: Inspection | None,
    profile: ComputeProfile,
    workers: int | None = None,
    previous: Plan | None = None,
    model_config: Mapping[str, Any] | None = None,
    finished: Sequence[FinishedStage] = (),
) -> Plan | Refusal:
    """How a stage runs on `profile` (for `prepare`: the one that `stage_profile_name` names).

    Without an inspection the plan of `train` is provisional: what the model and the data decide is left out or a lower
    bound. `workers` overrides the job's number. `previous` is this stage's plan that attempts have already run with:
    its ZeRO stage and its image hold, because checkpoints convert only within one stage and images stay for life.
    `model_config` is the model's config.json, where somebody found it before the inspection. `finished` are the
    profile's finished jobs, the newest first, from which speed and times are learned.
    """
    given = PlanInput(
        job=job,
        profile=profile,
        inspection=inspection,
        model_config=model_config,
        workers=workers,
        previous=previous,
        finished=finished,
    )
    try:
        plan = _prepare_plan(job, profile=profile) if stage == "prepare" else _train_plan(given)
    except DoesNotFitError as error:
        return replace(error.refusal, ways_out=ways_out(given, error) or error.refusal.ways_out)
    except PlanError as error:
        return error.refusal
    return plan if previous is None else _with_frozen(plan, previous=previous)


def _prepare_plan(job: Job, *, profile: ComputeProfile) -> Plan:
    check_policy(job, profile=profile)
    return base_plan(job, profile=profile).model_copy(
        update={
            "workers": prepare_workers(job),
            "global_batch_size": job.spec.optimization.global_batch_size,
            "learning_rate": defaults.learning_rate(job),
            "epochs": defaults.epochs(job),
        }
    )


def _train_plan(given: PlanInput) -> Plan:
    plan = plan_training(given)
    return plan.model_copy(update={"notes": explain(plan, job=given.job, profile=given.profile)})


def _with_frozen(plan: Plan, *, previous: Plan) -> Plan:
    frozen = ("profile", "profile_generation", "image", "ray_version", "trainer_version", "runs")
    return plan.model_copy(update={name: getattr(previous, name) for name in frozen})
