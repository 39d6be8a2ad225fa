"""What the specs of the three jobs share, and the rules that need more than one block."""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from trivium.api.adapter import Adapter
from trivium.api.block import Block, ListMap
from trivium.api.compute import Compute
from trivium.api.credentials import (
    EVALUATION_CREDENTIALS,
    MODEL_CREDENTIALS,
    TRAIN_CREDENTIALS,
    Credential,
)
from trivium.api.data import Data
from trivium.api.evaluation import Evaluation, Sampling
from trivium.api.model import Model
from trivium.api.mutability import Change
from trivium.api.optimization import Optimization
from trivium.api.output import OutputOptions
from trivium.api.parallelism import Parallelism
from trivium.api.recovery import Recovery
from trivium.api.rules import Rule
from trivium.api.run_policy import RunPolicy
from trivium.api.storage import Storage


def _batch_unit(spec: Any) -> int:
    """Sequences of one pass of all ranks, as far as the spec says it: what globalBatchSize must be a multiple of."""
    micro = spec.optimization.micro_batch_size
    return int(spec.compute.workers * (spec.compute.gpus_per_worker or 1) * (1 if micro == "auto" else micro))


def _explain_batch(spec: Any) -> str:
    size, unit = spec.optimization.global_batch_size, _batch_unit(spec)
    below = f"{size - size % unit} or " if size > unit else ""
    return (
        f"globalBatchSize {size} is not a multiple of workers x gpusPerWorker x microBatchSize = {unit}. "
        f"Use {below}{size - size % unit + unit}, or change the others."
    )


RANKS_DIVIDE_BATCH = Rule(
    name="ranks-divide-batch",
    cel="self.optimization.globalBatchSize % (self.compute.workers"
    " * (has(self.compute.gpusPerWorker) ? self.compute.gpusPerWorker : 1)"
    " * (type(self.optimization.microBatchSize) == string ? 1 : int(self.optimization.microBatchSize))) == 0",
    message="globalBatchSize is not a multiple of workers x gpusPerWorker x microBatchSize. "
    "Change globalBatchSize to one, or change the others.",
    holds=lambda spec: spec.optimization.global_batch_size % _batch_unit(spec) == 0,
    explain=_explain_batch,
    path="optimization.globalBatchSize",
)

HELD_OUT_DATA = Rule(
    name="held-out-data",
    cel="(!self.evaluation.keepBest && !has(self.evaluation.earlyStopping))"
    " || has(self.data.evaluation) || has(self.data.evaluationFraction)",
    message="keepBest and earlyStopping need a held-out loss. "
    "Set data.evaluation or data.evaluationFraction, or remove them.",
    holds=lambda spec: (
        (not spec.evaluation.keep_best and spec.evaluation.early_stopping is None)
        or spec.data.evaluation is not None
        or spec.data.evaluation_fraction is not None
    ),
    path="evaluation",
)


ROLLBACK_NEEDS_TWO = Rule(
    name="rollback-needs-two-checkpoints",
    cel="self.recovery.onDivergence.action != 'rollback' || self.storage.checkpoints.keep >= 2",
    message="To roll back after a divergence, two checkpoints must be kept. "
    "Set keep to 2 or more, or recovery.onDivergence.action to fail.",
    holds=lambda spec: spec.recovery.on_divergence.action != "rollback" or spec.storage.checkpoints.keep >= 2,
    path="storage.checkpoints.keep",
)


class JobSpec(Block):
    """What the three jobs share."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        RANKS_DIVIDE_BATCH,
        HELD_OUT_DATA,
        ROLLBACK_NEEDS_TWO,
        MODEL_CREDENTIALS,
        TRAIN_CREDENTIALS,
        EVALUATION_CREDENTIALS,
    )

    credentials: Annotated[tuple[Credential, ...], Field(max_length=4), ListMap("name"), Change.NEVER] = ()
    """Secrets that sources of this job refer to by name."""
    model: Annotated[Model, Change.NEVER]
    """The model the job starts from."""
    data: Annotated[Data, Change.NEVER]
    """What is trained on."""
    adapter: Annotated[Adapter | None, Change.NEVER] = None
    """Train an adapter (LoRA, QLoRA). Absent: full fine-tuning. `adapter: {}` takes LoRA with its defaults."""
    optimization: Annotated[Optimization, Change.NEVER] = Optimization()
    """The optimizer, its schedule, and how long training lasts."""
    evaluation: Annotated[Evaluation, Change.NEVER] = Evaluation()
    """Held-out losses."""
    parallelism: Annotated[Parallelism, Change.NEVER] = Parallelism()
    """How the model's state is divided among the GPUs."""
    compute: Annotated[Compute, Change.BY_FIELD] = Compute()
    """The machines."""
    storage: Annotated[Storage, Change.BY_FIELD] = Storage()
    """Checkpoints, logs, report and the final model."""
    output: Annotated[OutputOptions, Change.NEVER] = OutputOptions()
    """What is left behind beside the model."""
    sampling: Annotated[Sampling, Change.NEVER] = Sampling()
    """Generations for the report."""
    recovery: Annotated[Recovery, Change.BY_FIELD] = Recovery()
    """What happens after a failure."""
    run_policy: Annotated[RunPolicy, Change.AT_ONCE] = RunPolicy()
    """Suspension and deadlines."""
