"""What a running trainer says of itself: one report carries the whole state, so a lost one costs nothing.

`POST <progress.url>` with `Authorization: Bearer <token>`; the answer is a ReportAnswer. The operator checks every
bound again (a report is a tenant's input); the models here are the trainer's side of that contract.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from trivium_trainer.config import Block
from trivium_trainer.failure import EndRecord

MAX_METRICS = 64
MAX_CHECKPOINTS = 64
METRIC_KEY_PATTERN = r"^[a-z][a-z0-9_]{0,62}$"

EVALUATION_PREFIX = "eval_"
"""Metrics of the newest evaluation, one loss for each held-out set; all others are the newest step's."""

Activity = Literal["start", "download", "prepare", "compile", "step", "save", "evaluate", "sample", "finish"]
Doing = Activity | Literal["restore"]
"""What a rank says of itself; in reports, restoring belongs to the start."""
SecondsKind = Literal[
    "start", "download", "prepare", "compile", "restore", "step", "save", "evaluate", "sample", "finish", "wasted"
]
"""What an attempt's time went to: an activity; `restore` = loading a checkpoint; `wasted` = steps that a restart or a
rollback made undone, trained again by now or not."""
MetricKey = Annotated[str, Field(pattern=METRIC_KEY_PATTERN)]


class CheckpointReport(Block):
    """The newest complete checkpoint."""

    step: int
    path: str
    """Relative to the run directory."""


class SourceInspection(Block):
    """What `prepare` saw of one data source."""

    name: str
    files: int
    rows: int
    skipped: int = 0
    over_long: int = 0
    """Rows cut at maxLength (counted also where cutting removed all that was trained)."""
    tokens: int
    trained_tokens: int
    digest: str
    revision: str | None = None
    first_bad_records: list[str] = Field(default=[], max_length=3)


class Inspection(Block):
    """What `prepare` learned; the plan of the training stage is computed from it."""

    architecture: dict[str, Any]
    """The model's config.json, after any resize of the vocabulary."""
    parameters: int
    """Counted from the weights' shapes on the meta device."""
    vocabulary: int
    added_tokens: int = 0
    packing: bool
    """As resolved; when true a sequence is a packed row of maxLength."""
    max_length: int
    train_sequences: int
    """Packed rows, examples or pairs in one epoch (one pass over the first source, mixtures counted in)."""
    train_examples: int
    """Examples before packing; examplesPerStep = globalBatchSize · train_examples / train_sequences."""
    train_tokens: int
    """Trained (unmasked, unpadded) tokens in one epoch."""
    evaluation_sequences: dict[str, int] = {}
    length_histogram: dict[str, int] = {}
    """Upper bound in tokens -> examples; powers of two."""
    sources: list[SourceInspection] = []
    prepared_key: str
    tokenizer_digest: str


class ProgressReport(Block):
    """One report; every field that is known is present in every report."""

    api_version: Literal["progress.trivium.dev/v1alpha1"] = "progress.trivium.dev/v1alpha1"
    job_uid: str
    stage: str
    sequence: Annotated[int, Field(ge=0)]
    """Counts up within one attempt; a lower one that arrives later is ignored."""
    activity: Activity = "start"
    step: int = 0
    total_steps: int = 0
    epoch: float = 0.0
    tokens: int = 0
    """Trained non-pad tokens over all attempts."""
    loss: float | None = None
    tokens_per_second: float | None = None
    restarts: int = 0
    """Restarts inside this attempt (Ray Train's)."""
    preemptions: int = 0
    """Those of the restarts that a node's loss was announced for: they cost no budget."""
    earlier_restarts: int = 0
    """Restarts inside the stage's earlier attempts that cost budget: the operator may have heard of fewer."""
    world_size: int = 1
    metrics: dict[MetricKey, float] = Field(default={}, max_length=MAX_METRICS)
    checkpoint: CheckpointReport | None = None
    checkpoints: list[int] = Field(default=[], max_length=MAX_CHECKPOINTS)
    """Steps of the complete checkpoints that are kept, oldest first."""
    seconds: dict[SecondsKind, float] = {}
    """Cumulative seconds of this attempt by kind, over its restarts."""
    first_step_seconds: float | None = None
    """From the attempt's start to the end of its first optimizer step."""
    memory_bytes: int | None = None
    """Peak of the rank that held the most: of its GPU, or resident memory above what the libraries take."""
    inspection: Inspection | None = None
    message: str | None = Field(default=None, max_length=1024)
    end: EndRecord | None = None


class ReportAnswer(Block):
    """What the operator answers."""

    attempt: int
    remaining_restarts: int
    command: Literal["checkpointAndStop"] | None = None
