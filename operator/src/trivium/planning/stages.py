"""Which ZeRO stages and checkpointing a job leaves open, in the order in which the planner tries them."""

from trivium.api import Job
from trivium.planning.architecture import Architecture
from trivium.planning.refusal import PlanError

MIXTURES_AT_ZERO_3 = frozenset({"mixtral", "olmoe", "qwen2_moe", "qwen3_moe"})
"""Mixtures that train the same losses at ZeRO 3 as at ZeRO 0, on one rank and on two (a test runs each of them). The
others may hang where ranks gather different experts. All but olmoe are on DeepSpeed 0.19.8's list of leaf modules,
whose experts are gathered together; olmoe's are one fused parameter in transformers 5, which comes to the same.
"""


def mixture_takes_zero_3(architecture: Architecture | None) -> bool:
    """Whether ZeRO 3 is open to a model, as far as its experts are concerned."""
    return architecture is None or not architecture.experts or architecture.model_type in MIXTURES_AT_ZERO_3


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
    last = 2 if nf4 or not mixture_takes_zero_3(architecture) else 3
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
    if stage == 3 and not mixture_takes_zero_3(architecture):
        assert architecture is not None
        raise PlanError(
            "spec.parallelism.zeroStage",
            f"3 with the experts of a {architecture.model_type} model has not been proven and is refused until it is; "
            f"proven are {', '.join(sorted(MIXTURES_AT_ZERO_3))}",
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
