"""How ZeRO divides the model's state, and the DeepSpeed keys that a job may set itself."""

from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from trivium.api.block import Auto, Block, Toggle
from trivium.api.rules import Rule

Elements = Annotated[int, Field(ge=1, le=1_000_000_000_000)]


class ZeroOptions(Block):
    """Keys of DeepSpeed's zero_optimization, in DeepSpeed's own spelling. Buckets are counted in elements."""

    model_config = ConfigDict(alias_generator=None)

    overlap_comm: bool | None = None
    """Reduce gradients while the backward pass runs."""
    contiguous_gradients: bool | None = None
    """Copy gradients into one buffer as they come."""
    round_robin_gradients: bool | None = None
    """Spread the gradients' copy to the CPU over the ranks (stages 1 and 2 with offload)."""
    reduce_scatter: bool | None = None
    """Reduce-scatter instead of all-reduce."""
    reduce_bucket_size: Elements | None = None
    """Elements reduced at a time."""
    allgather_partitions: bool | None = None
    """All-gather instead of broadcasts after a step."""
    allgather_bucket_size: Elements | None = None
    """Elements gathered at a time."""
    sub_group_size: Elements | None = None
    """Stage 3: elements updated at a time."""
    stage3_prefetch_bucket_size: Elements | None = None
    """Stage 3: elements fetched ahead."""
    stage3_param_persistence_threshold: Elements | None = None
    """Stage 3: parameters smaller than this are never divided."""
    stage3_max_live_parameters: Elements | None = None
    """Stage 3: parameters that may be whole at the same time."""
    stage3_max_reuse_distance: Elements | None = None
    """Stage 3: a parameter used again within this many is kept whole."""


class DeepSpeedOptions(Block):
    """Keys of DeepSpeed's config that a job may set; they are merged over ours. What a typed field decides has no
    key here.
    """

    model_config = ConfigDict(alias_generator=None)

    zero_optimization: ZeroOptions | None = None
    """How ZeRO communicates."""
    communication_data_type: Literal["fp32", "bf16", "fp16"] | None = None
    """Type in which gradients travel."""


def _offload_is_possible(zero_stage: int | str, offload: str) -> bool:
    if zero_stage == "auto" or offload == "none":
        return True
    return zero_stage == 3 or (offload == "optimizer" and zero_stage != 0)


class Parallelism(Block):
    """How the model's state is divided among the GPUs. Sequence, tensor and expert parallelism come with later
    versions.
    """

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            name="offload-needs-zero",
            cel="type(self.zeroStage) == string || self.offload == 'none' || self.zeroStage == 3"
            " || (self.offload == 'optimizer' && self.zeroStage != 0)",
            message="Offloading the optimizer needs ZeRO 1, 2 or 3, and parameters ZeRO 3. "
            "Raise zeroStage or set it to auto, or set offload to none.",
            holds=lambda block: _offload_is_possible(block.zero_stage, block.offload),
            path="offload",
        ),
    )

    zero_stage: Auto | Literal[0, 1, 2, 3] = "auto"
    """DeepSpeed ZeRO stage. auto: the lowest that fits. Fixed once planned: a checkpoint converts only within one
    stage.
    """
    offload: Literal["none", "optimizer", "parameters"] = "none"
    """What waits in the CPU's memory: nothing, the optimizer's state, or also the parameters (ZeRO 3)."""
    gradient_checkpointing: Toggle = "auto"
    """Recompute activations in the backward pass. auto: when it would not fit otherwise."""
    deepspeed: DeepSpeedOptions = DeepSpeedOptions()
    """Keys of DeepSpeed's own config, from an allow-list."""
