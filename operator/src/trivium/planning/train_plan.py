"""The plan of a training stage, every choice resolved. Raises PlanError; stage_plan.py turns that into a refusal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trivium.api import ComputeProfile, Job, PretrainJob
from trivium.api.inspection import Inspection
from trivium.api.plan_status import MemoryPlan, Plan, SizePlan
from trivium.planning import defaults
from trivium.planning.checkpoint_interval import choose_interval, interval_fields
from trivium.planning.estimate import estimate_fields, peak_flops_of, predict_speed, predict_start
from trivium.planning.experience import FinishedStage
from trivium.planning.fit import Fit, FitRequest, find_fit
from trivium.planning.flops import TokenFlops, flops_per_token
from trivium.planning.length import tokens_per_sample, total_steps
from trivium.planning.machines import Machines, training_machines
from trivium.planning.memory import Workload
from trivium.planning.policy import check_policy, resolve_runs
from trivium.planning.precision import Precision, resolve_precision
from trivium.planning.refusal import DoesNotFitError
from trivium.planning.stages import checkpointing_choices, zero_stages
from trivium.planning.workload import build_workload, has_live_reference, known_architecture, parameter_count
from trivium.planning.world_sizes import check_batch


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanInput:
    """Everything that the plan of a training stage is computed from."""

    job: Job
    profile: ComputeProfile
    inspection: Inspection | None = None
    """None: before `prepare`, and the plan is provisional."""
    model_config: Mapping[str, Any] | None = None
    """The model's config.json, if somebody found it before the inspection."""
    workers: int | None = None
    """Overrides the job's number: a smaller machine."""
    previous: Plan | None = None
    """What attempts have already run with; its ZeRO stage holds, because checkpoints convert only within one."""
    most_workers: int | None = None
    """No alternative with more: there is only this machine. None: as many as anyone asks for."""
    finished: Sequence[FinishedStage] = ()
    """Jobs of the same profile that have ended, the newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighing:
    """What has to be known before memory can be weighed. `work` is None while the model's size is not known."""

    machines: Machines
    precision: Precision
    stages: tuple[int, ...]
    work: Workload | None

    def fit_request(self, job: Job) -> FitRequest:
        """The question for fit.py. Only where `work` is known."""
        assert self.work is not None
        micro = job.spec.optimization.micro_batch_size
        return FitRequest(
            work=self.work,
            global_batch=job.spec.optimization.global_batch_size,
            world_sizes=self.machines.world_sizes,
            zero_stages=self.stages,
            checkpointing=checkpointing_choices(job),
            micro_batch=None if micro == "auto" else micro,
            available=self.machines.device_bytes,
            host_available=self.machines.host_bytes,
        )


def base_plan(job: Job, *, profile: ComputeProfile) -> Plan:
    """What every stage's plan says of its profile."""
    return Plan(
        profile=profile.metadata.name,
        profile_generation=profile.metadata.generation,
        image=profile.spec.image,
        ray_version=profile.spec.ray_version,
        trainer_version=profile.spec.trainer_version,
        runs=resolve_runs(job, profile=profile),
    )


def plan_training(given: PlanInput) -> Plan:
    """The plan, notes excepted. Raises PlanError; DoesNotFitError where only memory is in the way."""
    job = given.job
    check_policy(job, profile=given.profile)
    weighing = weigh(given)
    plan = _resolved(given, machines=weighing.machines, precision=weighing.precision)
    if weighing.work is None:
        return plan.model_copy(update={"zero_stage": weighing.stages[0]})
    request = weighing.fit_request(job)
    fit = find_fit(request)
    if fit is None:
        raise DoesNotFitError(request, workers=weighing.machines.workers)
    if weighing.work.architecture is None:  # only a hint: the lower bound fits, and nothing finer is known
        known = {"parameters": weighing.work.parameters.total, "zero_stage": fit.zero_stage}
        return plan.model_copy(update=known)
    plan = plan.model_copy(update=_fitted(fit, work=weighing.work, machines=weighing.machines))
    return _with_time(plan, given=given, work=weighing.work)


def weigh(given: PlanInput) -> Weighing:
    """Machines, precision, candidates and what has to be held. Raises PlanError."""
    job, profile, inspection = given.job, given.profile, given.inspection
    machines = training_machines(job, profile=profile, workers=given.workers)
    architecture = known_architecture(job, inspection=inspection, model_config=given.model_config)
    precision = resolve_precision(job, profile=profile, architecture=architecture)
    parameters = parameter_count(job, architecture=architecture, inspection=inspection)
    check_batch(job, machines=machines)
    stages = zero_stages(
        job,
        gpu=machines.gpus_per_worker > 0,
        dtype=precision.dtype,
        world_size=machines.world_size,
        architecture=architecture,
    )
    if given.previous is not None and not given.previous.provisional:
        stages = (given.previous.zero_stage,)
    work = None
    if parameters is not None:
        work = build_workload(
            job,
            profile=profile,
            precision=precision,
            architecture=architecture,
            parameters=parameters,
            inspection=inspection,
        )
    return Weighing(machines=machines, precision=precision, stages=stages, work=work)


def _resolved(given: PlanInput, *, machines: Machines, precision: Precision) -> Plan:
    """All that does not depend on what fits."""
    job, inspection = given.job, given.inspection
    batch = job.spec.optimization.global_batch_size
    per_step = None
    # Of pre-training none: a document fills many rows, and its number says nothing.
    if inspection is not None and not isinstance(job, PretrainJob):
        per_step = batch * inspection.train_examples / max(1, inspection.train_sequences)
    return base_plan(job, profile=given.profile).model_copy(
        update={
            "provisional": inspection is None,
            "workers": machines.workers,
            "min_workers": machines.min_workers if machines.min_workers < machines.workers else 0,
            "gpus_per_worker": machines.gpus_per_worker,
            "gpus": machines.workers * machines.gpus_per_worker,
            "offload": job.spec.parallelism.offload,
            "precision": precision.dtype,
            "attention": precision.attention,
            "liger": precision.liger,
            "packing": inspection.packing if inspection else _packs(job),
            "examples_per_step": per_step,
            "global_batch_size": batch,
            "learning_rate": defaults.learning_rate(job),
            "epochs": defaults.epochs(job),
            "total_steps": total_steps(job, inspection=inspection),
            "tokens_per_step": batch * tokens_per_sample(job, inspection=inspection),
        }
    )


def _packs(job: Job) -> bool:
    """Before the data has been seen: pre-training always packs; of the others only what the job says is sure."""
    return isinstance(job, PretrainJob) or job.spec.data.packing == "enabled"


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


def _with_time(plan: Plan, *, given: PlanInput, work: Workload) -> Plan:
    """Time, cost and how often to save."""
    job, profile = given.job, given.profile
    flops = _flops(job, plan=plan, work=work)
    tokens = plan.tokens_per_step or 0.0
    plan = plan.model_copy(update={"flops_per_step": flops.model * tokens})
    speed = predict_speed(
        plan,
        kind=job.kind,
        adapter=job.spec.adapter is not None,
        flops=flops,
        layers=work.architecture.num_layers if work.architecture is not None else 0,
        peak_flops=peak_flops_of(profile, precision=plan.precision),
        finished=given.finished,
    )
    weight_bytes = work.element_bytes * work.parameters.total
    start = predict_start(plan, weight_bytes=weight_bytes, finished=given.finished)
    price = profile.spec.price_per_gpu_hour
    plan = plan.model_copy(update=estimate_fields(plan, speed=speed, start=start, price_per_gpu_hour=price))
    interval = choose_interval(
        job, plan=plan, trainable=work.trainable, element_bytes=work.element_bytes, finished=given.finished
    )
    saving = interval_fields(interval, estimated_seconds=plan.estimated_seconds, total_steps=plan.total_steps)
    return plan.model_copy(update=saving)


def _flops(job: Job, *, plan: Plan, work: Workload) -> TokenFlops:
    assert work.architecture is not None
    samples = plan.global_batch_size * work.sequences_per_sample
    return flops_per_token(
        work.architecture,
        work.parameters,
        length=(plan.tokens_per_step or 0.0) / max(1, samples),
        trainable_adapter=work.trainable if work.adapter_rank else 0,
        checkpointing=plan.gradient_checkpointing,
        live_reference=has_live_reference(job),
    )
