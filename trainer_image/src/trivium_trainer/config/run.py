"""The whole RunConfig, and what goes on around the training: evaluation, checkpoints, reports, recovery."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from trivium_trainer.config.block import Block, Natural, Positive
from trivium_trainer.config.inputs import Data, Model
from trivium_trainer.config.training import Adapter, Dpo, Optimization, Parallelism


class JobIdentity(Block):
    """Whose run this is; the run directory's path and record are made of it."""

    kind: Literal["PretrainJob", "SFTJob", "PreferenceJob"]
    namespace: str
    name: str
    uid: str
    spec_digest: str
    """SHA-256 of the immutable part of the spec; a run directory whose record differs is refused."""


class Evaluation(Block):
    """One held-out loss per data set, by tokens."""

    every_steps: Positive | None = None
    """None: before, at a tenth of the run each, and after."""
    max_samples: Positive = 1000
    keep_best: bool = False
    early_stopping_patience: Positive | None = None


class Sampling(Block):
    """Generations before, during and after training, for the report."""

    prompts: list[str] = []
    every_steps: Positive | None = None
    """None: only before and after."""
    max_new_tokens: Positive = 128
    temperature: Annotated[float, Field(ge=0)] = 0.0
    """0 = greedy."""


class Checkpoints(Block):
    """When to save, and how many complete checkpoints to keep."""

    every_steps: Positive | None = None
    every_minutes: Annotated[float, Field(gt=0)] | None = None
    """Both None: every tenth of the run, and at least every fifteen minutes. Both given: whichever comes first."""
    keep: Positive = 3


class Output(Block):
    """What is left behind beside `model/`."""

    merge_adapter: Literal[True] = True
    model_card: bool = True


class Recovery(Block):
    """What the trainer itself must know of the job's recovery rules."""

    hang_timeout_seconds: Positive = 600
    """No step in this long is a hang; other activities (download, save, evaluate ...) may take up to ten times as long.

    A run that has shown its pace is given up sooner: after five times its longest recent step, never before a minute;
    after five times its longest recent save or evaluation, never before this timeout.
    """


class SkipWindow(Block):
    """Data that training diverged on and that is left out from then on, in every attempt.

    A data step is one global batch of the data order, counted from 1 like the optimizer steps; without a window the two
    are the same. With windows, optimizer step s trains the s-th data step that no window holds.
    """

    data_step: Positive
    """First data step that is left out."""
    steps: Positive
    """How many: dataStep .. dataStep + steps - 1."""
    rollback_to: Natural
    """A checkpoint after this optimizer step counts only if it was trained with this window; 0 = from the start."""

    @model_validator(mode="after")
    def _begins_after_the_rollback(self) -> Self:
        if self.data_step <= self.rollback_to:
            raise ValueError(f"skips: data step {self.data_step} was trained before the checkpoint {self.rollback_to}")
        return self


class Progress(Block):
    """Where reports go. Absent fields: no report is sent, and nothing else changes."""

    url: str | None = None
    token_file: str | None = None
    ca_file: str | None = None
    interval_seconds: Annotated[float, Field(gt=0)] = 5.0


class Ancestor(Block):
    """One stage that the model went through before this job."""

    kind: str
    name: str
    uid: str
    digest: str | None = None


class RunConfig(Block):
    """The trainer's whole input."""

    api_version: Literal["run.trivium.dev/v1alpha1"] = "run.trivium.dev/v1alpha1"
    job: JobIdentity
    stage: Literal["prepare", "train"]
    recipe: Literal["pretrain", "sft", "dpo"]
    runs: str
    """Root of the runs claim; the run directory is `<runs>/<namespace>/<kind>/<name>/<uid>/<stage>`."""
    continue_from: str | None = None
    """uid of an earlier run with the same digest, whose directory is adopted."""
    model: Model
    data: Data
    adapter: Adapter | None = None
    dpo: Dpo | None = None
    optimization: Optimization | None = None
    """Absent in `prepare`: the length in steps is not known before it."""
    evaluation: Evaluation = Evaluation()
    sampling: Sampling = Sampling()
    parallelism: Parallelism | None = None
    """Absent in `prepare`."""
    skips: list[SkipWindow] = []
    """What earlier attempts diverged on. Only ever grows, so any attempt may obey it at any time."""
    checkpoints: Checkpoints = Checkpoints()
    output: Output = Output()
    recovery: Recovery = Recovery()
    progress: Progress = Progress()
    lineage: list[Ancestor] = []
    upstream_run: str | None = None
    """Mounted run directory (`.../<uid>`) of the job named by model.from.job; its report data is embedded in ours."""
    plan: dict[str, Any] = {}
    """The operator's plan as status shows it (memory, seconds, cost): for the report only, never obeyed."""

    @model_validator(mode="after")
    def _stage_is_complete(self) -> Self:
        if self.stage == "train":
            if self.optimization is None or self.parallelism is None:
                raise ValueError("stage train needs optimization and parallelism")
            want = self.optimization.global_batch_size
            for size in self.parallelism.sizes:
                have = size.world_size * size.micro_batch_size * size.gradient_accumulation
                if have != want:
                    raise ValueError(f"parallelism.sizes: {size.world_size} ranks train {have} sequences, not {want}")
        if (self.recipe == "dpo") != (self.dpo is not None):
            raise ValueError("recipe dpo and the block dpo belong together")
        return self
