"""PretrainJob: from text to a base model."""

from typing import Annotated, ClassVar, Literal

from trivium.api.credentials import TOKENIZER_CREDENTIALS
from trivium.api.data import PretrainData
from trivium.api.job import JobResource
from trivium.api.job_spec import JobSpec
from trivium.api.model import PretrainModel
from trivium.api.mutability import Change
from trivium.api.optimization import PretrainOptimization
from trivium.api.resource import ResourceNames
from trivium.api.rules import Rule


class PretrainJobSpec(JobSpec):
    """Pre-training from scratch, or going on with the pre-training of an existing model."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        *JobSpec.RULES,
        TOKENIZER_CREDENTIALS,
        Rule(
            name="pretrain-adapter",
            cel="!has(self.adapter) || (has(self.model.from) && has(self.optimization.learningRate))",
            message="An adapter needs an existing model and a learning rate of its own. Set model.from and "
            "optimization.learningRate, or remove adapter.",
            holds=lambda spec: (
                spec.adapter is None or (spec.model.from_ is not None and spec.optimization.learning_rate is not None)
            ),
            path="adapter",
        ),
    )

    model: Annotated[PretrainModel, Change.NEVER]
    """A model from scratch (architecture and tokenizer), or an existing one (from)."""
    data: Annotated[PretrainData, Change.NEVER]
    """Text, in documents."""
    optimization: Annotated[PretrainOptimization, Change.NEVER]
    """The optimizer, its schedule, and how long training lasts: one of epochs, steps and tokens must be said."""


class PretrainJob(JobResource):
    """Pre-train a language model on text."""

    NAMES: ClassVar[ResourceNames] = ResourceNames(
        kind="PretrainJob", plural="pretrainjobs", singular="pretrainjob", short_name="ptj"
    )

    kind: Literal["PretrainJob"] = "PretrainJob"
    spec: PretrainJobSpec
    """What to train, on what, and where."""
