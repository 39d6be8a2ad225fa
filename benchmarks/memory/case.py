"""One configuration whose memory is measured and predicted: what trains, how it is divided, and what a step holds."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Units: tokens, sequences (DPO: pairs); `accumulation` micro-batches make one optimizer step."""

    name: str
    model: str
    """Name of a config in models.py or of a file in tests/unit/planning/configs."""
    zero_stage: Literal[0, 1, 2, 3] = 0
    world_size: int = 1
    dtype: Literal["float32", "bfloat16"] = "bfloat16"
    adapter_rank: int = 0
    checkpointing: bool = False
    max_length: int = 256
    micro_batch: int = 2
    accumulation: int = 2
    recipe: Literal["language", "dpo"] = "language"
    packing: bool = False
    attention: Literal["sdpa", "eager"] = "sdpa"
    bucket_elements: int = 1_000_000
    """Of DeepSpeed's reduce bucket: as small beside these models as the trainer's 50 million beside real ones."""
    gpu: bool = True
    """As on a GPU: communication overlaps, so there are two buckets. The tensors lie on CPU all the same."""

    @property
    def sequences(self) -> int:
        """Rows of one micro-batch."""
        return self.micro_batch * (2 if self.recipe == "dpo" else 1)

    @property
    def tokens(self) -> int:
        """Tokens of one micro-batch."""
        return self.sequences * self.max_length

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        return cls(**fields)
