"""Lines of `report/data.jsonl`: what a stage did, appended by rank 0, read by the report.

One JSON object a line, `kind` first. Attempts append to the same file, so a step may occur twice after a restart from a
checkpoint: the later line wins. A torn last line (killed while writing) is ignored by the reader.
"""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from trivium_trainer.config import Block, SkipWindow


class Line(Block):
    """One line. Unknown fields are kept out so that reader and writer cannot drift apart."""

    # NaN stays NaN: as null, a diverged loss could not be read back.
    model_config = ConfigDict(ser_json_inf_nan="constants")
    at: float
    """Unix seconds."""


class RunLine(Line):
    """Written once at the start of each start of a stage."""

    kind: Literal["run"] = "run"
    job: dict[str, Any]
    """RunConfig.job."""
    stage: str
    recipe: str
    config: dict[str, Any]
    """The whole RunConfig, without credential paths."""
    world_size: int
    resumed_from_step: int = 0
    skips: list[SkipWindow] = []
    """Data that this start leaves out, because training diverged on it."""
    environment: dict[str, str]
    """Versions of python, torch, deepspeed, transformers, ray ...; device; cores."""
    lineage: list[dict[str, Any]] = []


class InspectionLine(Line):
    """What prepare saw (progress.Inspection), copied into the training stage's data too."""

    kind: Literal["inspection"] = "inspection"
    inspection: dict[str, Any]


class StepLine(Line):
    """One optimizer step (every step up to 1,000 in all, else thinned by the writer)."""

    kind: Literal["step"] = "step"
    step: int
    loss: float
    learning_rate: float
    grad_norm: float | None = None
    tokens: int
    """Trained tokens so far, over all attempts."""
    tokens_per_second: float
    metrics: dict[str, float] = {}
    """DPO: reward_margin, reward_accuracy, reward_chosen, reward_rejected, logps_chosen, logps_rejected."""


class EvaluationLine(Line):
    """A held-out loss; `dataset` names the evaluation set."""

    kind: Literal["evaluation"] = "evaluation"
    step: int
    dataset: str
    loss: float
    """Mean over trained tokens (preference: mean over pairs)."""
    perplexity: float | None = None
    tokens: int
    metrics: dict[str, float] = {}


class SampleLine(Line):
    """One generation for one of the job's prompts."""

    kind: Literal["sample"] = "sample"
    step: int
    moment: Literal["before", "during", "after"]
    prompt: str
    completion: str
    ended: bool
    """Whether the end token came within maxNewTokens."""
    tokens: int
    origin: Literal["seen", "held-out", "other"] | None = None
    """Whether the prompt is one of the training rows', of the held-out rows', or of neither; None: not looked up."""


class CheckpointLine(Line):
    """A complete checkpoint and how long training stood still for it."""

    kind: Literal["checkpoint"] = "checkpoint"
    step: int
    seconds: float
    bytes: int


class MemoryLine(Line):
    """Measured peak per rank."""

    kind: Literal["memory"] = "memory"
    rank: int
    peak_bytes: int
    """All of it; of a process in main memory, the libraries included."""
    baseline_bytes: int = 0
    """What the process held before there was a model; 0 on a GPU."""
    source: Literal["cuda", "rss"]


class TimeLine(Line):
    """Where an attempt's time went so far, by progress.SecondsKind: at each checkpoint and at a start's end."""

    kind: Literal["time"] = "time"
    attempt: str
    seconds: dict[str, float]
    first_step_seconds: float | None = None


class EndLine(Line):
    """How this start of the stage ended (failure.EndRecord)."""

    kind: Literal["end"] = "end"
    record: dict[str, Any]


ReportLine = Annotated[
    RunLine
    | InspectionLine
    | StepLine
    | EvaluationLine
    | SampleLine
    | CheckpointLine
    | MemoryLine
    | TimeLine
    | EndLine,
    Field(discriminator="kind"),
]
