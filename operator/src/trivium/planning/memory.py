"""Memory of one rank, by what holds it, for any ZeRO stage.

A step has its most at one of these moments: while the loss is differentiated (all activations, all logits), while the
layers are (gradients grow, buckets fill), or while the optimizer steps (no activations, float32 gradients); without
ZeRO also while all gradients are reduced in one piece. The estimate is the worst moment's, part by part. Reserves are
named and are guesses until a GPU has confirmed them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from trivium.planning.activations import ActivationBytes, LogitsBytes, activation_bytes, is_masked, logits_bytes
from trivium.planning.demand import Workload
from trivium.planning.zero_memory import (
    ZeroDivision,
    backward_buckets,
    final_gradients,
    first_gradients,
    growing_gradients,
    host_bytes,
    loss_buckets,
    optimizer_bytes,
    plain_reduce_bytes,
    reference_bytes,
    step_buckets,
    step_bytes,
    waiting_gradients,
    weight_bytes,
)

__all__ = ["GIB", "MemoryBreakdown", "Workload", "estimate_memory", "host_bytes", "memory_by_moment", "reserve_bytes"]

GIB = 1024**3

# CUDA context, NCCL buffers, cuBLAS workspaces: a guess, no GPU has confirmed it.
GPU_FRAMEWORK_BYTES = 3 * GIB // 2
# Caching-allocator fragmentation, as a share of the GPU's memory: a guess.
GPU_FRAGMENTATION = 0.05
# A worker process after its imports (552 MB measured), the raylet and its agents beside it, allocator slack.
CPU_FRAMEWORK_BYTES = GIB


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryBreakdown:
    """Bytes on the device of one rank at its peak: what is not there at that moment is 0."""

    weights: int
    gradients: int
    optimizer: int
    activations: int
    logits: int
    step: int
    """What the optimizer's step holds besides: gradients as float32, and the copy that they are made from."""
    reference: int
    buckets: int
    """Where gradients are reduced, and at ZeRO-3 the parameters that are gathered."""
    reserve: int

    @property
    def total(self) -> int:
        return sum(self.by_part().values())

    def by_part(self) -> dict[str, int]:
        """Bytes by what they are for."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def estimate_memory(
    work: Workload,
    *,
    zero_stage: int,
    world_size: int,
    micro_batch: int,
    checkpointing: bool,
    available: int,
    accumulates: bool = True,
) -> MemoryBreakdown:
    """Peak of one rank. Units: bytes; `available` is the device's memory, of which a share is held in reserve.

    `accumulates`: a step has several micro-batches, so that gradients lie beside the activations.
    """
    moments = memory_by_moment(
        work,
        zero_stage=zero_stage,
        world_size=world_size,
        micro_batch=micro_batch,
        checkpointing=checkpointing,
        available=available,
        accumulates=accumulates,
    )
    return max(moments.values(), key=lambda moment: moment.total)


def memory_by_moment(
    work: Workload,
    *,
    zero_stage: int,
    world_size: int,
    micro_batch: int,
    checkpointing: bool,
    available: int,
    accumulates: bool = True,
) -> Mapping[str, MemoryBreakdown]:
    """What a rank holds at `loss`, `backward`, `reduce` and `step`: the peaks of an optimizer step, in their order."""
    d = ZeroDivision(work=work, zero_stage=zero_stage, world_size=world_size, accumulates=accumulates)
    activations, logits = _transient_bytes(d, micro_batch=micro_batch, checkpointing=checkpointing)
    reserve = reserve_bytes(gpu=work.gpu, available=available)
    return {
        "loss": _moment(
            d,
            reserve=reserve,
            gradients=waiting_gradients(d),
            activations=activations.kept + activations.tail,
            logits=logits.loss,
            buckets=loss_buckets(d),
        ),
        "backward": _backward(d, reserve=reserve, activations=activations, logits=logits),
        "reduce": _moment(d, reserve=reserve, gradients=final_gradients(d), buckets=plain_reduce_bytes(d)),
        "step": _moment(d, reserve=reserve, gradients=final_gradients(d), step=step_bytes(d), buckets=step_buckets(d)),
    }


def _backward(d: ZeroDivision, *, reserve: int, activations: ActivationBytes, logits: LogitsBytes) -> MemoryBreakdown:
    """Beside the last logits lie all activations that are kept; deeper down one layer is there in full."""
    deep = activations.recomputed > logits.backward + activations.tail
    first = _moment(
        d,
        reserve=reserve,
        gradients=first_gradients(d),
        activations=activations.kept + (activations.recomputed if deep else activations.tail),
        logits=0 if deep else logits.backward,
        buckets=backward_buckets(d),
    )
    # In the first layer nothing is kept any more, and all gradients are there.
    last = _moment(
        d,
        reserve=reserve,
        gradients=growing_gradients(d),
        activations=activations.recomputed,
        buckets=backward_buckets(d),
    )
    return max(first, last, key=lambda moment: moment.total)


def _moment(
    d: ZeroDivision,
    *,
    reserve: int,
    gradients: int,
    buckets: int,
    activations: int = 0,
    logits: int = 0,
    step: int = 0,
) -> MemoryBreakdown:
    """A moment's own sizes with what is always there."""
    return MemoryBreakdown(
        weights=weight_bytes(d),
        gradients=gradients,
        optimizer=0 if d.offloaded else optimizer_bytes(d),
        activations=activations,
        logits=logits,
        step=step,
        reference=reference_bytes(d),
        buckets=buckets,
        reserve=reserve,
    )


def _transient_bytes(d: ZeroDivision, *, micro_batch: int, checkpointing: bool) -> tuple[ActivationBytes, LogitsBytes]:
    """(activations, logits) of one micro-batch."""
    work = d.work
    a = work.architecture
    if a is None:
        return ActivationBytes(kept=0, tail=0, recomputed=0), LogitsBytes(loss=0, backward=0)
    rows = micro_batch * work.sequences_per_sample
    activations = activation_bytes(
        a,
        tokens=rows * work.max_length,
        element_bytes=work.element_bytes,
        max_length=work.max_length,
        attention=work.attention,
        checkpointing=checkpointing,
        adapter_rank=work.adapter_rank,
        masked=is_masked(a, rows=rows, packing=work.packing, max_length=work.max_length),
        float32_adapter=d.has_float32_adapter,
    )
    logits = logits_bytes(
        a, tokens=rows * work.max_length, element_bytes=work.element_bytes, live_reference=work.live_reference
    )
    return activations, logits


def reserve_bytes(*, gpu: bool, available: int) -> int:
    """What the framework takes before a model is loaded, and what fragmentation wastes. Units: bytes."""
    return GPU_FRAMEWORK_BYTES + int(GPU_FRAGMENTATION * available) if gpu else CPU_FRAMEWORK_BYTES
