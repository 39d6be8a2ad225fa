"""What was decided for a job and why, one sentence each: the lines that status.plan.notes shows."""

from trivium.api import ComputeProfile, Job
from trivium.api.plan_status import Plan
from trivium.planning.memory import GIB
from trivium.planning.workload import has_live_reference


def explain(plan: Plan, *, job: Job, profile: ComputeProfile) -> tuple[str, ...]:
    """Only what the job left to us, and what a reader would otherwise ask."""
    lines = [_provisional(plan), _fit(plan, job=job), _checkpointing(plan, job=job), _reference(job)]
    lines += [_attention(plan, job=job, profile=profile), _elastic(plan), _estimate(plan), _checkpoints(plan)]
    return tuple(line for line in lines if line is not None)


def _provisional(plan: Plan) -> str | None:
    if not plan.provisional:
        return None
    unseen = "the data has not been seen" if plan.sizes else "neither the model nor the data has been seen"
    return f"Provisional: {unseen}; the stage prepare completes the plan."


def _fit(plan: Plan, *, job: Job) -> str | None:
    memory = plan.memory_per_gpu
    if memory is None or not plan.sizes:
        return None
    size = plan.sizes[-1]
    why = "the least communication that fits" if job.spec.parallelism.zero_stage == "auto" else "as the job says"
    ranks = "on one rank" if size.world_size == 1 else f"over {size.world_size} ranks"
    device = "a GPU" if plan.gpus_per_worker else "a worker"
    unit = "pair" if job.kind == "PreferenceJob" else "sequence"
    micro = f"{size.micro_batch_size} {unit}{'' if size.micro_batch_size == 1 else 's'}"
    return (
        f"ZeRO {plan.zero_stage} {ranks}, {why}: {memory.needed / GIB:.1f} of "
        f"{memory.available / GIB:.1f} GiB of {device}, with {micro} per forward pass."
    )


def _checkpointing(plan: Plan, *, job: Job) -> str | None:
    if not plan.gradient_checkpointing or job.spec.parallelism.gradient_checkpointing != "auto":
        return None
    return "Activations are recomputed in the backward pass: kept, they would not fit or would leave the device idle."


def _reference(job: Job) -> str | None:
    if not has_live_reference(job):
        return None
    if job.spec.adapter is not None:
        return "The reference is the model itself with the adapter switched off: no second copy."
    return "The reference runs as a second copy of the model; reference: precomputed would save that memory."


def _attention(plan: Plan, *, job: Job, profile: ComputeProfile) -> str | None:
    if job.spec.model.attention != "auto" or plan.gpus_per_worker == 0 or plan.attention == "flash_attention_2":
        return None
    if plan.precision == "float32":
        return f"Attention is {plan.attention}: flash attention does not compute in float32."
    return f"Attention is {plan.attention}: profile {profile.metadata.name} names no feature flash-attention-2."


def _estimate(plan: Plan) -> str | None:
    if not plan.efficiency_source:
        return None
    return f"The estimated time rests on an efficiency {plan.efficiency_source}."


def _elastic(plan: Plan) -> str | None:
    if not plan.min_workers:
        return None
    return (
        f"Training goes on with {plan.min_workers} to {plan.workers} workers; the global batch is the same at each "
        "size, and the memory shown is the largest of them."
    )


def _checkpoints(plan: Plan) -> str | None:
    if plan.checkpoint_seconds is None:
        return None
    return f"A checkpoint every {plan.checkpoint_seconds / 60:.0f} minutes: {plan.checkpoint_source}."
