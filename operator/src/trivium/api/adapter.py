"""Low-rank adaptation. An absent adapter means full fine-tuning."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from trivium.api.block import Block
from trivium.api.rules import Rule

ALL_LINEAR = "all-linear"


class Lora(Block):
    """Low-rank adaptation, in PEFT's terms."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            name="lora-all-linear-alone",
            cel="self.targetModules.size() == 1 || !('all-linear' in self.targetModules)",
            message="all-linear already means every linear layer. Leave it alone in the list, or name the modules.",
            holds=lambda lora: len(lora.target_modules) == 1 or ALL_LINEAR not in lora.target_modules,
            path="targetModules",
        ),
    )

    rank: Annotated[int, Field(ge=1, le=1024)] = 16
    """Rank of the update."""
    alpha: Annotated[float, Field(gt=0, le=65_536)] = 32
    """The update is scaled by alpha / rank."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Dropout before the update. Above 0 a resumed run is no longer equal to an uninterrupted one at another world
    size.
    """
    target_modules: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=256)], ...], Field(min_length=1, max_length=64)
    ] = (ALL_LINEAR,)
    """Names of the modules that get an adapter; `all-linear`: every linear layer except the output head and
    mixture-of-experts routers.
    """


class Adapter(Block):
    """Train a small adapter instead of all weights. The output is merged all the same; the adapter lies beside it."""

    lora: Lora = Lora()
    """Low-rank adaptation."""
    quantization: Literal["none", "nf4"] = "none"
    """nf4: the frozen weights in 4 bits (QLoRA). Needs bitsandbytes in the profile's image."""
