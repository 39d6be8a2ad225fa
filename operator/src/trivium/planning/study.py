"""A plan with everything that a person may ask about it: what else was weighed, and what other plans there are.

Called by `trivium plan`. The operator needs only the plan (stage_plan.py): trying every alternative costs more.
"""

from dataclasses import dataclass, replace

from trivium.api.plan_status import Plan
from trivium.planning.alternatives import Alternative, alternatives_to_plan, alternatives_to_refusal
from trivium.planning.fit import Candidate, weigh_choices
from trivium.planning.notes import explain
from trivium.planning.refusal import DoesNotFitError, PlanError, Refusal
from trivium.planning.train_plan import PlanInput, plan_training, weigh


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """The training stage of one job on one kind of machine."""

    result: Plan | Refusal
    candidates: tuple[Candidate, ...] = ()
    """Empty while the model's size is not known."""
    alternatives: tuple[Alternative, ...] = ()
    """Each planned like the job itself; for a refusal the nearest plans that fit."""


def study_training(given: PlanInput) -> Study:
    """Never raises for what a job may hold."""
    try:
        plan = plan_training(given)
    except DoesNotFitError as error:
        alternatives = alternatives_to_refusal(given, workers=error.workers)
        ways = tuple(one.edit.sentence for one in alternatives) or error.refusal.ways_out
        return Study(
            result=replace(error.refusal, ways_out=ways),
            candidates=weigh_choices(error.request),
            alternatives=alternatives,
        )
    except PlanError as error:
        return Study(result=error.refusal)
    weighing = weigh(given)
    return Study(
        result=plan.model_copy(update={"notes": explain(plan, job=given.job, profile=given.profile)}),
        candidates=weigh_choices(weighing.fit_request(given.job)) if plan.memory_per_gpu is not None else (),
        alternatives=alternatives_to_plan(given, plan=plan) if plan.memory_per_gpu is not None else (),
    )
