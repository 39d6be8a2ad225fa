"""The plan of a stage, as status shows it: everything that is resolved, and what it will need."""

from typing import Annotated, Literal

from pydantic import Field

from trivium.api.block import Count, Line, Size, StatusBlock, Word
from trivium.api.storage import VolumeSource

Estimate = Annotated[float, Field(ge=0)]


class SizePlan(StatusBlock):
    """How the global batch is cut for one number of ranks; the product of the three is globalBatchSize."""

    world_size: Size
    """Ranks: GPUs, or workers on CPU."""
    micro_batch_size: Size
    """Sequences per forward pass on one rank."""
    gradient_accumulation: Size
    """Micro-batches per optimizer step on each rank."""


class MemoryPlan(StatusBlock):
    """Memory of one GPU (on CPU: of one worker) at the largest world size, in bytes."""

    needed: Count
    """Bytes that training will need."""
    available: Count
    """Bytes that the profile has."""
    breakdown: Annotated[dict[Word, Count], Field(max_length=32)] = {}
    """Bytes by what they are for: parameters, gradients, optimizer, activations, ..."""


class StoragePlan(VolumeSource):
    """The resolved claim of the run directory."""


class Plan(StatusBlock):
    """How one stage runs. Image, rayVersion and profileGeneration are frozen for the job's life."""

    provisional: bool = False
    """Computed before prepare has seen the model and the data; the final one follows."""
    profile: Word = ""
    """The ComputeProfile that is used."""
    profile_generation: Count = 0
    """Its generation at planning; later edits do not change this job."""
    image: Annotated[str, Field(max_length=512)] = ""
    """The trainer's image."""
    ray_version: Word = ""
    """Version of Ray inside the image."""
    trainer_version: Word = ""
    """Version of the RunConfig that the image reads."""
    runs: StoragePlan | None = None
    """The claim of the run directory, from the job or its profile."""
    workers: Count = 1
    """Worker pods."""
    gpus_per_worker: Count = 0
    """GPUs of each worker; 0 on CPU."""
    gpus: Count = 0
    """GPUs held in all."""
    parameters: Count = 0
    """Parameters of the model: counted by prepare, or the job's hint while provisional."""
    zero_stage: Annotated[int, Field(ge=0, le=3)] = 0
    """DeepSpeed ZeRO stage."""
    offload: Word = "none"
    """What waits in the CPU's memory."""
    precision: Literal["bfloat16", "float32"] = "float32"
    """Precision of training."""
    attention: Word = "sdpa"
    """Attention implementation."""
    liger: bool = False
    """Whether Liger kernels are used."""
    gradient_checkpointing: bool = False
    """Whether activations are recomputed."""
    packing: bool = False
    """Whether a sequence is a packed row."""
    examples_per_step: Estimate | None = None
    """Examples in one optimizer step; with packing more than globalBatchSize."""
    global_batch_size: Count = 0
    """Sequences per optimizer step."""
    learning_rate: Estimate = 0.0
    """Peak learning rate, as resolved."""
    epochs: Estimate | None = None
    """Passes over the first source."""
    total_steps: Count = 0
    """Optimizer steps in all; 0 while it depends on what prepare will see."""
    sizes: Annotated[tuple[SizePlan, ...], Field(max_length=64)] = ()
    """How the global batch is cut, by world size."""
    memory_per_gpu: MemoryPlan | None = Field(default=None, alias="memoryPerGPU")
    """What one GPU will need."""
    estimated_seconds: Estimate | None = None
    """Time of training, without queueing and start."""
    estimated_gpu_hours: Estimate | None = Field(default=None, alias="estimatedGPUHours")
    """GPU-hours of training."""
    estimated_cost: Estimate | None = None
    """In the platform's currency."""
    notes: Annotated[tuple[Line, ...], Field(max_length=16)] = ()
    """What was decided for the job and why, one sentence each."""
