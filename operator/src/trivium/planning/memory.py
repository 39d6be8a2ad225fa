"""Memory of one rank, by what holds it, for any ZeRO stage.

Sources: ZeRO (Rajbhandari et al., arXiv 1910.02054) for what each stage divides; DeepSpeed 0.19.8's stage_1_and_2.py
and stage3.py for the float32 copies it keeps. Reserves are named and are guesses until a GPU has confirmed them.
"""

from dataclasses import dataclass, fields
from typing import Literal

from trivium.planning.activations import activation_bytes, logits_bytes
from trivium.planning.architecture import Architecture
from trivium.planning.parameters import ParameterCount

GIB = 1024**3

# CUDA context, NCCL buffers, cuBLAS workspaces: a guess, no GPU has confirmed it.
GPU_FRAMEWORK_BYTES = 3 * GIB // 2
# Caching-allocator fragmentation, as a share of the GPU's memory: a guess.
GPU_FRAGMENTATION = 0.05
# A worker process after its imports (552 MB measured), the raylet and its agents beside it, allocator slack.
CPU_FRAMEWORK_BYTES = GIB

# Elements of DeepSpeed's reduce bucket as the trainer sets it; never more than there is to reduce.
BUCKET_ELEMENTS = 50_000_000
# DeepSpeed's default of stage3_max_live_parameters: what ZeRO-3 keeps gathered because it is needed again soon.
MAX_LIVE_PARAMETERS = 1_000_000_000
# nf4: four bits a weight and a float32 scale for each block of 64.
NF4_BYTES = 0.5 + 4 / 64

_OPTIMIZER_MOMENTS = 8  # AdamW: two float32 values a trained parameter
_MASTER_COPY = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What a rank has to hold, whatever the number of ranks."""

    architecture: Architecture | None
    """None before the inspection: activations and logits then count as nothing, and the sum is a lower bound."""
    parameters: ParameterCount
    trainable: int
    """Equal to parameters.total in full fine-tuning; the adapter's alone under LoRA."""
    element_bytes: Literal[2, 4]
    max_length: int
    sequences_per_sample: int
    """2 for preference pairs (chosen and rejected), else 1."""
    attention: str
    adapter_rank: int
    """0: full fine-tuning."""
    quantized: bool
    reference_copy: bool
    """DPO with a live reference and no adapter: a second, frozen model."""
    offload: Literal["none", "optimizer", "parameters"]
    gpu: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryBreakdown:
    """Bytes on the device of one rank at its peak."""

    weights: int
    gradients: int
    optimizer: int
    activations: int
    logits: int
    step: int
    """What the optimizer's step needs beyond the activations, which are gone by then."""
    reference: int
    buckets: int
    reserve: int

    @property
    def total(self) -> int:
        return sum(self.by_part().values())

    def by_part(self) -> dict[str, int]:
        """Bytes by what they are for."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def estimate_memory(
    work: Workload, *, zero_stage: int, world_size: int, micro_batch: int, checkpointing: bool, available: int
) -> MemoryBreakdown:
    """Peak of one rank. Units: bytes; `available` is the device's memory, of which a share is held in reserve."""
    tokens = micro_batch * work.sequences_per_sample * work.max_length
    activations, logits = _transient_bytes(work, tokens=tokens, checkpointing=checkpointing)
    # At the optimizer's step the activations are gone, and DeepSpeed holds the partition's gradient as float32.
    step = _MASTER_COPY * _share(work.trainable, world_size if zero_stage else 1) if work.offload == "none" else 0
    return MemoryBreakdown(
        weights=_weight_bytes(work, zero_stage=zero_stage, world_size=world_size),
        gradients=_gradient_bytes(work, zero_stage=zero_stage, world_size=world_size),
        optimizer=_optimizer_bytes(work, zero_stage=zero_stage, world_size=world_size) if work.offload == "none" else 0,
        activations=activations,
        logits=logits,
        step=max(0, step - activations - logits),
        reference=_reference_bytes(work, zero_stage=zero_stage, world_size=world_size),
        buckets=_bucket_bytes(work, zero_stage=zero_stage),
        reserve=reserve_bytes(gpu=work.gpu, available=available),
    )


def _transient_bytes(work: Workload, *, tokens: int, checkpointing: bool) -> tuple[int, int]:
    """(activations, logits) of one micro-batch."""
    if work.architecture is None:
        return 0, 0
    activations = activation_bytes(
        work.architecture,
        tokens=tokens,
        element_bytes=work.element_bytes,
        max_length=work.max_length,
        attention=work.attention,
        checkpointing=checkpointing,
        adapter_rank=work.adapter_rank,
    )
    return activations, logits_bytes(work.architecture, tokens=tokens, element_bytes=work.element_bytes)


def host_bytes(work: Workload, *, zero_stage: int, world_size: int) -> int:
    """What one rank keeps in its pod's memory because of `offload`, besides its process. Units: bytes."""
    if work.offload == "none":
        return 0
    optimizer = _optimizer_bytes(work, zero_stage=zero_stage, world_size=world_size)
    gradients = work.element_bytes * _share(work.trainable, world_size)
    weights = _stored_weight_bytes(work) // world_size if work.offload == "parameters" else 0
    return optimizer + gradients + weights


def reserve_bytes(*, gpu: bool, available: int) -> int:
    """What the framework takes before a model is loaded, and what fragmentation wastes. Units: bytes."""
    return GPU_FRAMEWORK_BYTES + int(GPU_FRAGMENTATION * available) if gpu else CPU_FRAMEWORK_BYTES


def _share(elements: int, ranks: int) -> int:
    """Elements of the largest partition."""
    return -(-elements // ranks)


def _stored_weight_bytes(work: Workload) -> int:
    adapter = work.trainable if work.adapter_rank else 0
    if not work.quantized:
        return work.element_bytes * (work.parameters.total + adapter)
    linear = work.parameters.total - work.parameters.embedding
    return int(linear * NF4_BYTES) + work.element_bytes * (work.parameters.embedding + adapter)


def _weight_bytes(work: Workload, *, zero_stage: int, world_size: int) -> int:
    if work.offload == "parameters":
        return 0
    stored = _stored_weight_bytes(work)
    return _share(stored, world_size) if zero_stage == 3 else stored


def _gradient_bytes(work: Workload, *, zero_stage: int, world_size: int) -> int:
    if zero_stage >= 2 and work.offload != "none":
        return 0
    return work.element_bytes * (_share(work.trainable, world_size) if zero_stage >= 2 else work.trainable)


def _optimizer_bytes(work: Workload, *, zero_stage: int, world_size: int) -> int:
    if zero_stage == 0:
        # In float32 the weights are their own master copy.
        return work.trainable * (_OPTIMIZER_MOMENTS + (_MASTER_COPY if work.element_bytes < 4 else 0))
    # Every other stage clones its partition to float32, even if it is float32 already.
    return _share(work.trainable, world_size) * (_OPTIMIZER_MOMENTS + _MASTER_COPY)


def _reference_bytes(work: Workload, *, zero_stage: int, world_size: int) -> int:
    if not work.reference_copy:
        return 0
    stored = work.element_bytes * work.parameters.total
    return _share(stored, world_size) if zero_stage == 3 else stored


def _bucket_bytes(work: Workload, *, zero_stage: int) -> int:
    if zero_stage == 0:
        return 0
    # Overlapping communication (GPU only) fills one bucket while the other is on its way.
    bucket = min(BUCKET_ELEMENTS, work.trainable) * (2 if work.gpu else 1)
    if zero_stage < 3:
        return bucket * work.element_bytes
    largest = work.parameters.largest_layer + work.parameters.embedding
    gathered = min(work.parameters.total, max(MAX_LIVE_PARAMETERS, largest))
    return (bucket + gathered) * work.element_bytes
