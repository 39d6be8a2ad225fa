"""What is measured and shown while training runs: held-out losses and generations."""

from typing import Annotated

from pydantic import Field

from trivium.api.block import Auto, Block, Steps, Text


class EarlyStopping(Block):
    """End training when the held-out loss no longer falls."""

    patience: Annotated[int, Field(ge=1, le=1000)]
    """Evaluations without a lower loss before training ends."""


class Evaluation(Block):
    """One held-out loss per data set, by tokens. With several sets, the first one decides keepBest and
    earlyStopping.
    """

    every_steps: Auto | Steps = "auto"
    """Steps between evaluations. auto: before training, at every tenth of it, and after."""
    max_samples: Annotated[int, Field(ge=1, le=10_000_000)] = 1000
    """Sequences of each set that are used."""
    keep_best: bool = False
    """The output is the checkpoint with the lowest held-out loss instead of the last one."""
    early_stopping: EarlyStopping | None = None
    """End training when the held-out loss no longer falls."""


class Sampling(Block):
    """Generations for the report, before, during and after training."""

    prompts: Annotated[tuple[Text, ...], Field(max_length=32)] = ()
    """Each is answered before and after training. An SFTJob and a PreferenceJob wrap them in the chat template."""
    every_steps: Steps | None = None
    """Also generate during training, this often. Absent: only before and after."""
    max_new_tokens: Annotated[int, Field(ge=1, le=4096)] = 128
    """Longest answer."""
    temperature: Annotated[float, Field(ge=0, le=10)] = 0.0
    """0 = always the likeliest token."""
