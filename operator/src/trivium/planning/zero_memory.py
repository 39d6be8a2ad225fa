"""What one rank holds of weights, gradients, optimizer states and buffers at a ZeRO stage.

Sources: ZeRO (Rajbhandari et al., arXiv 1910.02054) for what each stage divides; DeepSpeed 0.19.8's stage_1_and_2.py,
stage3.py and unfused_optimizer.py for what it holds besides, measured on 1, 2 and 4 processes
(docs/planning-errors.md).
"""

from dataclasses import dataclass

from trivium.planning.architecture import Architecture
from trivium.planning.demand import Workload

# Elements that DeepSpeed's engine puts into one piece to reduce them where no ZeRO stage does it.
PLAIN_REDUCE_ELEMENTS = 500_000_000
# nf4 with double quantization, as the trainer loads it: four bits a weight, one byte of scale for each block of 64, and
# one float32 for each 256 of those (QLoRA, arXiv 2305.14314, section 3).
NF4_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)

_OPTIMIZER_MOMENTS = 8  # AdamW: two float32 values a trained parameter
_MASTER_COPY = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ZeroDivision:
    """One workload on so many ranks, and the sizes that its moments are made of. Units: bytes."""

    work: Workload
    zero_stage: int
    world_size: int
    accumulates: bool

    @property
    def share(self) -> int:
        """Trained elements whose optimizer state this rank holds."""
        return _share(self.work.trainable, self.world_size if self.zero_stage else 1)

    @property
    def gradient(self) -> int:
        """All gradients, in the model's dtype."""
        return self.work.element_bytes * self.work.trainable

    @property
    def partition(self) -> int:
        """The gradients of this rank's share, in the model's dtype."""
        return self.work.element_bytes * self.share

    @property
    def held_gradient(self) -> int:
        """Gradients that this rank keeps: below ZeRO-3 a parameter across a border is kept whole, about one matrix."""
        a = self.work.architecture
        if self.zero_stage == 3 or self.world_size == 1 or a is None or self.work.adapter_rank:
            return self.partition
        straddling = self.work.element_bytes * a.hidden_size * a.intermediate_size
        return min(self.gradient, self.partition + straddling)

    @property
    def has_float32_adapter(self) -> bool:
        """PEFT makes adapters float32; DeepSpeed casts them back to bfloat16 but at ZeRO-3 (measured)."""
        return self.zero_stage == 3 and self.work.adapter_rank > 0 and self.work.element_bytes == 2

    @property
    def offloaded(self) -> bool:
        return self.work.offload != "none"


def host_bytes(work: Workload, *, zero_stage: int, world_size: int) -> int:
    """What one rank keeps in its pod's memory because of `offload`, besides its process. Units: bytes."""
    if work.offload == "none":
        return 0
    d = ZeroDivision(work=work, zero_stage=zero_stage, world_size=world_size, accumulates=True)
    # Float32 gradients for the step, and the gradients of earlier micro-batches.
    gradients = _MASTER_COPY * d.share + d.partition
    # Below ZeRO-3 the stepped weights wait in a buffer of the model's dtype for their way back.
    buffer = d.partition if zero_stage < 3 else 0
    weights = _share(_stored_weight_bytes(work), world_size) if work.offload == "parameters" else 0
    return optimizer_bytes(d) + gradients + buffer + weights


def _share(elements: int, ranks: int) -> int:
    """Elements of the largest partition."""
    return -(-elements // ranks)


def _stored_weight_bytes(work: Workload) -> int:
    adapter = work.trainable if work.adapter_rank else 0
    if not work.quantized:
        return work.element_bytes * (work.parameters.total + adapter)
    linear = work.parameters.total - work.parameters.embedding
    return int(linear * NF4_BYTES) + work.element_bytes * (work.parameters.embedding + adapter)


def weight_bytes(d: ZeroDivision) -> int:
    if d.work.offload == "parameters":
        return 0
    stored = _stored_weight_bytes(d.work) + (2 * d.work.trainable if d.has_float32_adapter else 0)
    return _share(stored, d.world_size) if d.zero_stage == 3 else stored


def reference_bytes(d: ZeroDivision) -> int:
    if not d.work.reference_copy:
        return 0
    stored = d.work.element_bytes * d.work.parameters.total
    return _share(stored, d.world_size) if d.zero_stage == 3 else stored


def optimizer_bytes(d: ZeroDivision) -> int:
    if d.zero_stage == 0:
        # In float32 the weights are their own master copy.
        return d.work.trainable * (_OPTIMIZER_MOMENTS + (_MASTER_COPY if d.work.element_bytes < 4 else 0))
    # Every other stage clones its partition to float32, even if it is float32 already.
    return d.share * (_OPTIMIZER_MOMENTS + _MASTER_COPY)


def _largest_matrix_bytes(work: Workload) -> int:
    """One gradient between its computation and its being added, reduced or divided: the largest matrix's."""
    a = work.architecture
    if a is None or work.adapter_rank:
        return 0
    matrix = max(a.vocab_size * a.hidden_size, _largest_expert_elements(a))
    return work.element_bytes * matrix


def _largest_expert_elements(a: Architecture) -> int:
    """Experts are fused in transformers 5: gate and up of all of them are one parameter."""
    return 2 * a.experts * a.intermediate_size * a.hidden_size


def waiting_gradients(d: ZeroDivision) -> int:
    """What earlier micro-batches have left, while the next one's loss is computed."""
    if d.zero_stage == 3:
        return 0 if d.offloaded else d.partition  # one flat buffer for the run's whole life
    if not d.accumulates or (d.offloaded and d.zero_stage):
        return 0
    # ZeRO-1 frees the gradients of others' partitions only when they are computed anew.
    return d.held_gradient if d.zero_stage == 2 else d.gradient


def growing_gradients(d: ZeroDivision) -> int:
    """At most, while the layers are differentiated."""
    passing = _largest_matrix_bytes(d.work)
    if d.offloaded and d.zero_stage:
        return passing  # each goes to the host as it is reduced
    if d.zero_stage == 0:
        return d.gradient + (passing if d.accumulates else 0)
    if d.zero_stage == 3:
        return d.partition + passing
    # Below ZeRO-3 a micro-batch fills a partition of its own, which is then added to that of the earlier ones.
    own = d.held_gradient * (2 if d.accumulates else 1)
    return (own if d.zero_stage == 2 else max(own, d.gradient)) + passing


def first_gradients(d: ZeroDivision) -> int:
    """While the last layers are differentiated, and all other activations still wait."""
    if d.zero_stage == 0 and not d.accumulates:
        return _largest_matrix_bytes(d.work)
    return growing_gradients(d)  # ZeRO's partitions are made whole, and what accumulates is there already


def final_gradients(d: ZeroDivision) -> int:
    """While the optimizer steps."""
    if d.offloaded and d.zero_stage:
        return 0
    return d.held_gradient if d.zero_stage else d.gradient


def step_bytes(d: ZeroDivision) -> int:
    if d.offloaded:
        return 0
    low_precision = d.work.element_bytes < _MASTER_COPY
    if d.zero_stage == 0:
        return _MASTER_COPY * d.work.trainable if low_precision else 0
    # The partition is flattened into one tensor, which is then cast to float32.
    copy = d.work.element_bytes if low_precision else 0
    elements = min(d.share, d.work.sub_group_elements) if d.zero_stage == 3 else d.share
    return (_MASTER_COPY + copy) * elements


def plain_reduce_bytes(d: ZeroDivision) -> int:
    """Without ZeRO: the copy of the gradients that is reduced, at the end of the last backward pass."""
    return 0 if d.zero_stage else d.work.element_bytes * min(d.work.trainable, PLAIN_REDUCE_ELEMENTS)


def _reduce_buckets(d: ZeroDivision) -> int:
    """The buffers that gradients are collected in to be reduced."""
    if d.zero_stage == 0:
        return 0
    if d.work.gpu:
        # Overlapping communication fills one bucket while the other is on its way (ZeRO-3 has one all the same).
        return d.work.element_bytes * d.work.bucket_elements * (1 if d.zero_stage == 3 else 2)
    # Main memory is taken page by page: what is never written costs nothing.
    return d.work.element_bytes * min(d.work.bucket_elements, d.work.trainable)


def _gathered_bytes(d: ZeroDivision) -> int:
    """ZeRO-3's whole parameters; a single rank's partition is the parameter itself."""
    if d.zero_stage < 3 or d.world_size == 1:
        return 0
    parameters = d.work.parameters
    largest = parameters.largest_layer + parameters.embedding
    gathered = min(parameters.total, max(d.work.max_live_parameters, largest))
    return d.work.element_bytes * gathered


def loss_buckets(d: ZeroDivision) -> int:
    # ZeRO-1 keeps its buckets from one micro-batch to the next, ZeRO-2 makes them when the first gradient comes.
    if d.zero_stage == 2 or (d.zero_stage == 1 and not d.accumulates):
        return 0
    return _reduce_buckets(d) + _gathered_bytes(d)


def backward_buckets(d: ZeroDivision) -> int:
    return _reduce_buckets(d) + _gathered_bytes(d)


def step_buckets(d: ZeroDivision) -> int:
    return _reduce_buckets(d) if d.zero_stage == 3 else 0
