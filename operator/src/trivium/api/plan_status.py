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
    """Memory of one GPU (on CPU: of one worker) at the world size that needs most, in bytes."""

    needed: Count
    """Bytes that training will need."""
    available: Count
    """Bytes that the profile has."""
    breakdown: Annotated[dict[Word, Count], Field(max_length=32)] = {}
    """Bytes by what they are for: parameters, gradients, optimizer, activations, ..."""


class StoragePlan(VolumeSource):
    """The resolved claim of the run directory."""


class PlanOutcome(StatusBlock):
    """What a stage took in the end, measured; it stands beside what was predicted."""

    seconds: Estimate
    """From the first step to the end, over all attempts: steps, saving, evaluation, and steps trained twice."""
    start_seconds: Estimate | None = None
    """From the attempt's decision to its first step, the mean of the attempts."""
    steps: Count = 0
    """Optimizer steps of the finished stage."""
    step_seconds: Estimate | None = None
    """One optimizer step, without saving and evaluation."""
    save_seconds: Estimate | None = None
    """What one checkpoint kept training waiting."""
    tokens_per_second: Estimate | None = None
    """Trained tokens per second."""
    mfu: Estimate | None = None
    """Model FLOPs utilization: the share of the GPUs' peak. Absent where the profile names no peak."""
    memory_bytes: Count | None = None
    """Largest peak of a rank, as the trainer measured it."""
    interruptions: Count = 0
    """Restarts that the machines caused: lost nodes, preemptions, errors of the infrastructure."""
    gpu_hours: Estimate | None = None
    """GPU-hours held by all attempts of the stage, start included."""
    cost: Estimate | None = None
    """In the platform's currency."""


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
    min_workers: Count = 0
    """Fewest worker pods that training goes on with; 0: all are needed."""
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
    """How the global batch is cut, for every allowed world size from the smallest; attempts start with the last."""
    memory_per_gpu: MemoryPlan | None = Field(default=None, alias="memoryPerGPU")
    """What one GPU will need."""
    flops_per_step: Estimate | None = None
    """Floating-point operations of one optimizer step as MFU counts them: nothing that is computed twice."""
    tokens_per_step: Estimate | None = None
    """Tokens that one optimizer step puts through the model, prompts and padding of packed rows included."""
    efficiency: Estimate | None = None
    """Share of the profile's peak that the estimate counts on, as MFU; absent where the profile names no peak."""
    efficiency_source: Line = ""
    """Where the efficiency comes from: assumed, or learned from finished jobs of this shape."""
    start_seconds: Estimate | None = None
    """Time from an attempt's decision to its first step, without queueing."""
    start_source: Line = ""
    """Where the start's time comes from."""
    estimated_step_seconds: Estimate | None = None
    """Time of one optimizer step, known before the number of steps is."""
    estimated_seconds: Estimate | None = None
    """Time of training, without queueing and start."""
    estimated_gpu_hours: Estimate | None = Field(default=None, alias="estimatedGPUHours")
    """GPU-hours of training and of one start."""
    estimated_cost: Estimate | None = None
    """In the platform's currency."""
    checkpoint_seconds: Estimate | None = None
    """Seconds between checkpoints, chosen where the job leaves storage.checkpoints.every empty: sqrt(2 · C · MTBF)."""
    checkpoint_every_steps: Count | None = None
    """The same in optimizer steps, where the time of a step is estimated."""
    checkpoint_source: Line = ""
    """C, the time of a save, and MTBF, the mean time between failures, and where both come from."""
    outcome: PlanOutcome | None = None
    """What the stage took in the end."""
    notes: Annotated[tuple[Line, ...], Field(max_length=16)] = ()
    """What was decided for the job and why, one sentence each."""
