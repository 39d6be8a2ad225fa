"""Which ZeRO stages and checkpointing a job leaves open, in the order in which the planner tries them."""

from trivium.api import Job
from trivium.planning.architecture import Architecture
from trivium.planning.refusal import PlanError


def zero_stages(
    job: Job, *, gpu: bool, dtype: str, world_size: int, architecture: Architecture | None
) -> tuple[int, ...]:
    """Candidates from the least communication to the least memory.

    On a GPU, and in bfloat16, ZeRO-1 takes the place of ZeRO-0: it communicates as much and divides the optimizer. On
    one CPU rank there is nothing to divide.
    """
    parallelism = job.spec.parallelism
    if parallelism.zero_stage != "auto":
        _check_stage(job, stage=parallelism.zero_stage, gpu=gpu, architecture=architecture)
        return (parallelism.zero_stage,)
    if parallelism.offload != "none" and not gpu:
        raise _offload_without_gpu(parallelism.offload)
    if parallelism.offload == "parameters":
        return (3,)
    first = 1 if gpu or dtype == "bfloat16" else 0
    if world_size == 1:
        return (first,)
    nf4 = job.spec.adapter is not None and job.spec.adapter.quantization == "nf4"
    mixture = architecture is not None and architecture.experts > 0
    last = 2 if nf4 or mixture else 3
    return tuple(range(first, last + 1))


def _check_stage(job: Job, *, stage: int, gpu: bool, architecture: Architecture | None) -> None:
    offload = job.spec.parallelism.offload
    if offload != "none" and not gpu:
        raise _offload_without_gpu(offload)
    if stage == 3 and job.spec.adapter is not None and job.spec.adapter.quantization == "nf4":
        raise PlanError(
            "spec.parallelism.zeroStage",
            "3 with quantization: nf4 has not been proven and is refused until it is",
            "Set zeroStage: 2, or quantization: none.",
        )
    if stage == 3 and architecture is not None and architecture.experts:
        raise PlanError(
            "spec.parallelism.zeroStage",
            "3 with a mixture of experts has not been proven and is refused until it is",
            "Set zeroStage: 2.",
        )


def _offload_without_gpu(offload: str) -> PlanError:
    return PlanError(
        "spec.parallelism.offload", f"{offload}, but on a CPU profile there is no GPU to relieve", "Set offload: none."
    )


def checkpointing_choices(job: Job) -> tuple[bool, ...]:
    """Gradient checkpointing: as the job says, or without first and with it where that does not fit."""
    return {"auto": (False, True), "enabled": (True,), "disabled": (False,)}[
        job.spec.parallelism.gradient_checkpointing
    ]
