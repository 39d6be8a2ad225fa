"""What a rank has to hold, whatever the number of ranks: the memory model's input."""

from dataclasses import dataclass
from typing import Literal

from trivium.planning.architecture import Architecture
from trivium.planning.parameters import ParameterCount

# Elements of DeepSpeed's reduce bucket as the trainer sets it.
BUCKET_ELEMENTS = 50_000_000
# DeepSpeed's default of stage3_max_live_parameters: what ZeRO-3 keeps gathered because it is needed again soon.
MAX_LIVE_PARAMETERS = 1_000_000_000
# DeepSpeed's default of sub_group_size: ZeRO-3 steps over so many elements at a time.
SUB_GROUP_ELEMENTS = 1_000_000_000


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
    packing: bool = False
    """Examples share rows, so that sdpa needs a mask also for a single row."""
    live_reference: bool = False
    """DPO asks a reference in each step: a frozen copy, or the model itself without its adapter."""
    bucket_elements: int = BUCKET_ELEMENTS
    """This and the next two: sizes of DeepSpeed's that a job may set. Units: elements."""
    max_live_parameters: int = MAX_LIVE_PARAMETERS
    sub_group_elements: int = SUB_GROUP_ELEMENTS
