"""Plans of the stages: both at first, the training one provisionally; anew when prepare has seen the data, and when
the number of workers was changed. What a checkpoint depends on never changes.
"""

from trivium.api.conditions import ConditionType, Reason
from trivium.api.failure_reasons import FailureReason
from trivium.api.plan_status import Plan, SizePlan
from trivium.api.status import Phase, StageName, StageStatus
from trivium.domain.failure_of import own_failure
from trivium.domain.fewer_workers import fewest_workers
from trivium.domain.profile import resolve_profile
from trivium.domain.situation import STAGES, PlanRefused, Situation
from trivium.domain.verdict import Adopt, Finish, Hold, Verdict

_KEPT_BY_CHECKPOINTS = ("zero_stage", "global_batch_size", "packing", "total_steps")
"""A ZeRO checkpoint converts only within one stage; the others move the data position."""


def judge_plan(situation: Situation) -> Verdict | None:
    """Adopt a plan where one is due, hold or finish where there can be none, None where it is in order."""
    if not situation.status.stages:
        return _first_plans(situation)
    stage = situation.stage
    if stage is None or stage.plan is None or stage.name == "prepare":
        return None
    if stage.plan.provisional:
        return _final_plan(situation, stage)
    if stage.plan.workers != situation.job.spec.compute.workers or _lacks_sizes(situation, stage.plan):
        return _other_size(situation, stage, stage.plan)
    return None


def _lacks_sizes(situation: Situation, plan: Plan) -> bool:
    """Whether compute.minWorkers allows a number of workers that nothing was planned for: it may be edited."""
    fewest = situation.job.spec.compute.min_workers
    return fewest is not None and fewest_workers(situation.job, plan) > min(fewest, plan.workers)


def _first_plans(situation: Situation) -> Verdict:
    plans: dict[StageName, Plan] = {}
    for name in reversed(STAGES):
        planned = _plan(situation, name)
        if isinstance(planned, Hold):
            return planned
        if isinstance(planned, PlanRefused):
            # Nothing is recorded, so the job stays editable, and the profile is the platform's to change.
            return Hold(
                phase=Phase.PENDING,
                condition=ConditionType.PLANNED,
                status="False",
                reason=Reason.DOES_NOT_FIT,
                message=planned.message,
            )
        plans[name] = planned
    return Adopt(stages=tuple(StageStatus(name=name, plan=plans[name]) for name in STAGES))


def _final_plan(situation: Situation, stage: StageStatus) -> Verdict:
    planned = _plan(situation, stage.name, previous=stage.plan)
    if isinstance(planned, Hold):
        return planned
    if isinstance(planned, PlanRefused):
        # The spec is immutable by now: waiting would never help.
        return Finish(failure=own_failure(FailureReason.DOES_NOT_FIT, planned.message))
    return _adopt(situation, stage, planned)


def _other_size(situation: Situation, stage: StageStatus, old: Plan) -> Verdict | None:
    """A changed number of workers takes effect with the next attempt, unless the checkpoint forbids it."""
    planned = _plan(situation, stage.name, previous=old)
    if isinstance(planned, Hold):
        return planned
    compute = situation.job.spec.compute
    fewest = "" if compute.min_workers is None else f", minWorkers: {compute.min_workers}"
    wish = f"compute.workers: {compute.workers}{fewest}"
    if isinstance(planned, PlanRefused):
        problem = planned.message
    else:
        changed = [name for name in _KEPT_BY_CHECKPOINTS if getattr(planned, name) != getattr(old, name)]
        if not changed:
            planned = planned.model_copy(update={"sizes": _keep_known(old.sizes, planned.sizes)})
            # A planner may have good reason for another number than the job's (a laptop's cores).
            same = (planned.workers, planned.sizes) == (old.workers, old.sizes)
            return None if same else _adopt(situation, stage, planned)
        problem = f"it would change {', '.join(changed)}, which the checkpoint was written with"
    note = f"{wish} is not followed: {problem}. Set workers back to {old.workers}, or to a number that fits."[:1024]
    if note in old.notes:
        return None
    kept = old.model_copy(update={"notes": (*(n for n in old.notes if not n.startswith("compute.workers:")), note)})
    return _adopt(situation, stage, kept)


def _keep_known(old: tuple[SizePlan, ...], planned: tuple[SizePlan, ...]) -> tuple[SizePlan, ...]:
    """New sizes beside the known ones: a micro-batch that was lowered because memory ran out stays low."""
    known = {size.world_size: size for size in old}
    return tuple(min(size, known.get(size.world_size, size), key=lambda one: one.micro_batch_size) for size in planned)


def _adopt(situation: Situation, stage: StageStatus, plan: Plan) -> Adopt:
    return Adopt(
        stages=tuple(
            one.model_copy(update={"plan": plan}) if one.name == stage.name else one for one in situation.status.stages
        )
    )


def _plan(situation: Situation, name: StageName, *, previous: Plan | None = None) -> Plan | PlanRefused | Hold:
    profile = resolve_profile(situation, stage=name)
    if isinstance(profile, Hold):
        return profile
    if name == "prepare":
        main = resolve_profile(situation, stage="train")
        if isinstance(main, Hold):
            return main
        # One run directory: the claim of the job's own profile, whatever the one for CPU work says.
        spec = profile.spec.model_copy(update={"storage": main.spec.storage})
        profile = profile.model_copy(update={"spec": spec})
    return situation.planner.plan_stage(
        situation.job,
        stage=name,
        inspection=situation.status.inspection if name == "train" else None,
        profile=profile,
        previous=previous,
    )
