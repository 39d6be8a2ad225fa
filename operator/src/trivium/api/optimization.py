"""The optimizer, its schedule, and how long training lasts."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from trivium.api.block import Auto, Block, Fraction, Size, Steps
from trivium.api.quantity import Number
from trivium.api.rules import Rule, at_most_one, exactly_one

BatchSize = Annotated[int, Field(ge=1, le=1_000_000)]


class Optimization(Block):
    """The optimizer, its schedule, and how long training lasts."""

    RULES: ClassVar[tuple[Rule, ...]] = (at_most_one("length-union", "epochs", "steps", "tokens"),)

    epochs: Annotated[float, Field(gt=0, le=10_000)] | None = None
    """Length as passes over the first source. Absent, with steps and tokens: 3 for an SFTJob, 1 for a PreferenceJob."""
    steps: Steps | None = None
    """Length in optimizer steps."""
    tokens: Number | None = None
    """Length in trained tokens, e.g. `15T`."""
    global_batch_size: BatchSize = 32
    """Sequences (a PreferenceJob: pairs) per optimizer step, whatever the number of GPUs. A packed row is one
    sequence.
    """
    micro_batch_size: Auto | Size = "auto"
    """Sequences per forward pass on one GPU. auto: what fits; accumulation keeps globalBatchSize exact."""
    learning_rate: Annotated[float, Field(gt=0, le=10)] | None = None
    """Peak learning rate. Absent: 2e-5 for an SFTJob (2e-4 with an adapter), 1e-6 for a PreferenceJob (1e-5 with
    an adapter).
    """
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    """How the learning rate falls after the warm-up."""
    minimum_learning_rate_fraction: Fraction = 0.1
    """The schedule ends at this part of the peak learning rate. constant ignores it."""
    warmup_fraction: Fraction = 0.03
    """Part of the steps in which the learning rate rises from 0."""
    weight_decay: Annotated[float, Field(ge=0, le=10)] = 0.0
    """Decoupled weight decay; never on biases and norms."""
    gradient_clip: Annotated[float, Field(ge=0, le=1_000_000)] = 1.0
    """Largest norm of the gradient; 0 = no clipping."""
    optimizer: Literal["adamw"] = "adamw"
    """The optimizer."""
    beta1: Fraction = 0.9
    """AdamW's decay of the first moment."""
    beta2: Fraction = 0.999
    """AdamW's decay of the second moment."""
    epsilon: Annotated[float, Field(gt=0, le=1)] = 1e-8
    """AdamW's term against division by zero."""
    seed: Annotated[int, Field(ge=0, le=4_294_967_295)] = 42
    """Seed of initialization, data order, dropout and sampling."""
    deterministic: bool = False
    """Deterministic kernels: bit for bit the same losses on the same GPUs, somewhat slower. CPU runs are always
    exact.
    """


class PretrainOptimization(Optimization):
    """The optimizer, its schedule, and how long training lasts, with the defaults of pre-training."""

    RULES: ClassVar[tuple[Rule, ...]] = (exactly_one("pretrain-length-union", "epochs", "steps", "tokens"),)

    epochs: Annotated[float, Field(gt=0, le=10_000)] | None = None
    """Length as passes over the first source. A PretrainJob must say one of epochs, steps and tokens."""
    global_batch_size: BatchSize = 256
    """Sequences per optimizer step, whatever the number of GPUs. A packed row is one sequence."""
    learning_rate: Annotated[float, Field(gt=0, le=10)] | None = None
    """Peak learning rate. Absent: 3e-4. With an adapter it must be given."""
    weight_decay: Annotated[float, Field(ge=0, le=10)] = 0.1
    """Decoupled weight decay; never on biases and norms."""
    beta2: Fraction = 0.95
    """AdamW's decay of the second moment."""
