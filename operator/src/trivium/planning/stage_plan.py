"""The plan of one stage: every choice resolved, with what it will need, or a refusal that says what would work.

Called by reconcile: before `prepare` (a provisional plan of `train`, so that what cannot be is refused before anything
runs), for `prepare` itself, and for `train` once the inspection is there.
"""

from trivium.api import ComputeProfile, Job, PretrainJob
from trivium.api.inspection import Inspection
from trivium.api.plan_status import MemoryPlan, Plan, SizePlan
from trivium.api.status import StageName
from trivium.planning import defaults
from trivium.planning.alternatives import ways_to_fit
from trivium.planning.batch import BatchError, check_divisible
from trivium.planning.estimate import Estimate, estimate_run, flops_per_token
from trivium.planning.fit import Fit, FitRequest, find_fit, smallest_need
from trivium.planning.length import steps_of_epochs, steps_of_tokens
from trivium.planning.machines import Machines, prepare_workers, training_machines
from trivium.planning.memory import GIB, MemoryBreakdown, Workload
from trivium.planning.notes import explain
from trivium.planning.policy import check_policy, resolve_runs
from trivium.planning.precision import Precision, resolve_precision
from trivium.planning.refusal import PlanError, Refusal
from trivium.planning.stages import checkpointing_choices, zero_stages
from trivium.planning.workload import build_workload, has_live_reference, known_architecture, parameter_count


def plan_stage(
    job: Job,
    *,
    stage: StageName,
    inspection: Inspection | None,
    profile: ComputeProfile,
    workers: int | None = None,
    previous: Plan | None = None,
) -> Plan | Refusal:
    """How a stage runs on `profile` (for `prepare`: the one that `stage_profile_name` names).

    Without an inspection the plan of `train` is provisional: what the model and the data decide is left out or a lower
    bound. `workers` overrides the job's number. `previous` is this stage's plan that attempts have already run with:
    its ZeRO stage and its image hold, because checkpoints convert only within one stage and images stay for life.
    """
    try:
        check_policy(job, profile=profile)
        plan = (
            _prepare_plan(job, profile=profile)
            if stage == "prepare"
            else _train_plan(job, profile=profile, inspection=inspection, workers=workers, previous=previous)
        )
    except PlanError as error:
        return error.refusal
    if stage == "train":
        plan = plan.model_copy(update={"notes": explain(plan, job=job, profile=profile)})
    return plan if previous is None else _with_frozen(plan, previous=previous)


def _prepare_plan(job: Job, *, profile: ComputeProfile) -> Plan:
    return _base(job, profile=profile).model_copy(
        update={
            "workers": prepare_workers(job),
            "global_batch_size": job.spec.optimization.global_batch_size,
            "learning_rate": defaults.learning_rate(job),
            "epochs": defaults.epochs(job),
        }
    )


def _base(job: Job, *, profile: ComputeProfile) -> Plan:
    return Plan(
        profile=profile.metadata.name,
        profile_generation=profile.metadata.generation,
        image=profile.spec.image,
        ray_version=profile.spec.ray_version,
        trainer_version=profile.spec.trainer_version,
        runs=resolve_runs(job, profile=profile),
    )


def _with_frozen(plan: Plan, *, previous: Plan) -> Plan:
    frozen = ("profile", "profile_generation", "image", "ray_version", "trainer_version", "runs")
    return plan.model_copy(update={name: getattr(previous, name) for name in frozen})


def _train_plan(
    job: Job, *, profile: ComputeProfile, inspection: Inspection | None, workers: int | None, previous: Plan | None
) -> Plan:
    machines = training_machines(job, profile=profile, workers=workers)
    architecture = known_architecture(job, inspection=inspection)
    precision = resolve_precision(job, profile=profile, architecture=architecture)
    parameters = parameter_count(job, architecture=architecture, inspection=inspection)
    _check_batch(job, machines=machines)
    stages = zero_stages(
        job,
        gpu=machines.gpus_per_worker > 0,
        dtype=precision.dtype,
        world_size=machines.world_size,
        architecture=architecture,
    )
    if previous is not None and not previous.provisional:
        stages = (previous.zero_stage,)
    plan = _resolved(job, profile=profile, machines=machines, precision=precision, inspection=inspection)
    if parameters is None:
        return plan.model_copy(update={"zero_stage": stages[0]})
    work = build_workload(
        job,
        profile=profile,
        precision=precision,
        architecture=architecture,
        parameters=parameters,
        inspection=inspection,
    )
    fit = _fit(job, work=work, machines=machines, stages=stages)
    if architecture is None:  # only a hint: the lower bound fits, and nothing finer is known
        return plan.model_copy(update={"parameters": parameters.total, "zero_stage": fit.zero_stage})
    plan = plan.model_copy(update=_fitted(fit, work=work, machines=machines))
    estimate = _estimate(job, plan=plan, work=work, profile=profile, inspection=inspection)
    return plan.model_copy(update=_estimated(estimate))


def _check_batch(job: Job, *, machines: Machines) -> None:
    optimization = job.spec.optimization
    micro = optimization.micro_batch_size
    try:
        check_divisible(
            global_batch=optimization.global_batch_size,
            world_sizes=(machines.world_size,),
            micro_batch=1 if micro == "auto" else micro,
        )
    except BatchError as error:
        nearest = " or ".join(str(value) for value in error.nearest)
        raise PlanError(
            "spec.optimization.globalBatchSize",
            f"{error} ({machines.workers} workers with {machines.ranks_per_worker} each)",
            f"Set globalBatchSize: {nearest}.",
            "Or change compute.workers.",
        ) from error


def _resolved(
    job: Job, *, profile: ComputeProfile, machines: Machines, precision: Precision, inspection: Inspection | None
) -> Plan:
    """All that does not depend on what fits."""
    batch = job.spec.optimization.global_batch_size
    per_step = None
    if inspection is not None and not isinstance(
        job, PretrainJob
    ):  # a document fills many rows, and counts for nothing
        per_step = batch * inspection.train_examples / max(1, inspection.train_sequences)
    return _base(job, profile=profile).model_copy(
        update={
            "provisional": inspection is None,
            "workers": machines.workers,
            "gpus_per_worker": machines.gpus_per_worker,
            "gpus": machines.workers * machines.gpus_per_worker,
            "offload": job.spec.parallelism.offload,
            "precision": precision.dtype,
            "attention": precision.attention,
            "liger": precision.liger,
            "packing": inspection.packing if inspection else job.spec.data.packing == "enabled",
            "examples_per_step": per_step,
            "global_batch_size": batch,
            "learning_rate": defaults.learning_rate(job),
            "epochs": defaults.epochs(job),
            "total_steps": _total_steps(job, inspection=inspection),
        }
    )


def _total_steps(job: Job, *, inspection: Inspection | None) -> int:
    """Optimizer steps; 0 while the data has not been seen and the length is not said in steps."""
    optimization = job.spec.optimization
    if optimization.steps is not None:
        return optimization.steps
    if inspection is None:
        return 0
    if inspection.train_sequences == 0 or inspection.train_tokens == 0:
        raise PlanError(
            "spec.data.train",
            f"{inspection.train_sequences} sequences with {inspection.train_tokens} trained tokens are left",
            "Add data, or raise data.maxLength so that answers are not cut away.",
        )
    batch = optimization.global_batch_size
    if optimization.tokens is not None:
        return steps_of_tokens(
            tokens=optimization.tokens.to_int(),
            train_tokens=inspection.train_tokens,
            train_sequences=inspection.train_sequences,
            global_batch=batch,
        )
    passes = defaults.epochs(job)
    assert passes is not None, "the rule length-union leaves epochs, steps, tokens or a default"
    return steps_of_epochs(epochs=passes, train_sequences=inspection.train_sequences, global_batch=batch)


def _fit(job: Job, *, work: Workload, machines: Machines, stages: tuple[int, ...]) -> Fit:
    micro = job.spec.optimization.micro_batch_size
    request = FitRequest(
        work=work,
        global_batch=job.spec.optimization.global_batch_size,
        world_sizes=(machines.world_size,),
        zero_stages=stages,
        checkpointing=checkpointing_choices(job),
        micro_batch=None if micro == "auto" else micro,
        available=machines.device_bytes,
        host_available=machines.host_bytes,
    )
    fit = find_fit(request)
    if fit is not None:
        return fit
    stage, need = smallest_need(request)
    device = "one GPU" if work.gpu else "one worker"
    ways = ways_to_fit(request, workers=machines.workers, may_use_adapter=job.spec.adapter is None)
    raise PlanError(
        "spec.compute",
        f"training needs at least {_gib(need.total)} on {device}, which has {_gib(machines.device_bytes)} "
        f"(ZeRO {stage}, {machines.world_size} ranks, {work.max_length} tokens; {_largest_parts(need)})",
        *(ways or ("Choose a profile with more memory.",)),
    )


def _gib(size: int) -> str:
    return f"{size / GIB:.1f} GiB"


def _largest_parts(need: MemoryBreakdown) -> str:
    parts = sorted(need.by_part().items(), key=lambda item: -item[1])[:3]
    return ", ".join(f"{name} {_gib(size)}" for name, size in parts if size)


def _fitted(fit: Fit, *, work: Workload, machines: Machines) -> dict[str, object]:
    sizes = tuple(
        SizePlan(world_size=cut.world_size, micro_batch_size=cut.micro_batch, gradient_accumulation=cut.accumulation)
        for cut in fit.cuts
    )
    breakdown = {name: size for name, size in fit.memory.by_part().items() if size}
    return {
        "parameters": work.parameters.total,
        "zero_stage": fit.zero_stage,
        "gradient_checkpointing": fit.checkpointing,
        "sizes": sizes,
        "memory_per_gpu": MemoryPlan(needed=fit.memory.total, available=machines.device_bytes, breakdown=breakdown),
    }


def _estimate(
    job: Job, *, plan: Plan, work: Workload, profile: ComputeProfile, inspection: Inspection | None
) -> Estimate | None:
    if inspection is None or work.architecture is None or profile.spec.gpu is None:
        return None
    per_token = flops_per_token(
        work.architecture,
        work.parameters,
        max_length=work.max_length,
        adapter=work.adapter_rank > 0,
        checkpointing=plan.gradient_checkpointing,
        live_reference=has_live_reference(job),
    )
    tokens = plan.total_steps * plan.global_batch_size * _tokens_per_sequence(inspection)
    return estimate_run(
        flops=per_token * tokens,
        gpus=plan.gpus,
        peak_tflops=getattr(profile.spec.gpu.peak_tflops, plan.precision),
        price_per_gpu_hour=profile.spec.price_per_gpu_hour,
    )


def _tokens_per_sequence(inspection: Inspection) -> float:
    """Mean tokens that a sequence (for preferences: a pair) puts through the model."""
    if inspection.packing:
        return inspection.max_length
    seen = sum(source.tokens for source in inspection.sources)
    return seen / max(1, inspection.train_sequences)


def _estimated(estimate: Estimate | None) -> dict[str, object]:
    if estimate is None:
        return {}
    return {
        "estimated_seconds": round(estimate.seconds, 1),
        "estimated_gpu_hours": round(estimate.gpu_hours, 3),
        "estimated_cost": None if estimate.cost is None else round(estimate.cost, 2),
    }
