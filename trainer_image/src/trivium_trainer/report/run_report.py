"""What one run directory tells: a typed, tolerant view of its report data. Values only; `reading` fills them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from trivium_trainer.failure import EndRecord
from trivium_trainer.progress import Inspection
from trivium_trainer.report_data import (
    CheckpointLine,
    EndLine,
    EvaluationLine,
    MemoryLine,
    RunLine,
    SampleLine,
    StepLine,
    TimeLine,
)

STAGE_ORDER = ("prepare", "train", "reward", "policy")
"""Stages in the order they run; a stage that this version does not know comes last, by name."""

RECIPES = {"PretrainJob": "pretrain", "SFTJob": "sft", "PreferenceJob": "dpo"}
"""Only for run directories without a run line, which alone knows the recipe for certain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Whose run this is; from the run lines, else from the directory's own path."""

    kind: str
    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """One start of a stage: from its run line to its end line, or to the last thing it wrote."""

    run: RunLine | None
    """None: the file begins in the middle (a damaged first line)."""
    began_at: float
    last_at: float
    first_step: int | None
    last_step: int | None
    end: EndLine | None
    failure: dict[str, Any] | None
    """Raw failure.Failure: of the end line, else of the restart that the ledger noted after this start."""
    superseded: bool
    """Another start came after it; without an end line this one was cut off."""

    @property
    def outcome(self) -> str:
        """As recorded: complete, failed or stopped.

        Without an end line: `failed` where the ledger says why, `interrupted` if another start followed, else `open`.
        """
        if self.end is not None:
            return str(self.end.record.get("outcome", "unknown"))
        if self.failure is not None:
            return "failed"
        return "interrupted" if self.superseded else "open"

    @property
    def seconds(self) -> float:
        return max(0.0, self.last_at - self.began_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class StageReport:
    """One stage of one job. Series are in the order of steps and hold each step once: the last attempt's."""

    name: str
    starts: tuple[Start, ...]
    inspection: Inspection | None
    steps: tuple[StepLine, ...]
    evaluations: tuple[EvaluationLine, ...]
    samples: tuple[SampleLine, ...]
    checkpoints: tuple[CheckpointLine, ...]
    memory: tuple[MemoryLine, ...]
    times: tuple[TimeLine, ...]
    """The newest line of each attempt."""
    end: EndRecord | None
    """end.json if it is there, else the last end line."""
    notes: tuple[str, ...]
    """What could not be read, in sentences for the reader."""

    @property
    def run(self) -> RunLine | None:
        """The newest run line: the configuration that counts."""
        return next((start.run for start in reversed(self.starts) if start.run is not None), None)

    @property
    def config(self) -> dict[str, Any]:
        """The raw RunConfig; empty when no run line could be read."""
        return self.run.config if self.run is not None else {}

    @property
    def outcome(self) -> str:
        """One of complete, failed, stopped, interrupted, open, `not started`."""
        if self.end is not None:
            return self.end.outcome
        return self.starts[-1].outcome if self.starts else "not started"

    @property
    def seconds(self) -> float:
        """Seconds in which the stage was at work, all starts together; gaps between starts do not count."""
        return sum(start.seconds for start in self.starts)

    @property
    def restarts(self) -> int:
        return max(0, len(self.starts) - 1)

    def block(self, name: str) -> dict[str, Any]:
        """A block of the raw configuration, {} if absent or of another shape."""
        value = self.config.get(name)
        return value if isinstance(value, dict) else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """One job's run directory."""

    identity: Identity
    stages: tuple[StageReport, ...]
    notes: tuple[str, ...]

    @property
    def training(self) -> StageReport | None:
        """The stage that makes the model: the last one that is not `prepare`."""
        return next((stage for stage in reversed(self.stages) if stage.name != "prepare"), None)

    @property
    def newest(self) -> StageReport | None:
        return self.stages[-1] if self.stages else None

    @property
    def inspection(self) -> Inspection | None:
        """What prepare saw; the training stage holds a copy."""
        return next((stage.inspection for stage in reversed(self.stages) if stage.inspection is not None), None)

    @property
    def recipe(self) -> str:
        run = next((stage.run for stage in reversed(self.stages) if stage.run is not None), None)
        return run.recipe if run is not None else RECIPES.get(self.identity.kind, "unknown")

    @property
    def outcome(self) -> str:
        """The newest stage's; a job whose last stage is `prepare` and complete is still under way."""
        if self.newest is None:
            return "not started"
        if self.newest.name == "prepare" and self.newest.outcome == "complete":
            return "open"
        return self.newest.outcome

    @property
    def seconds(self) -> float:
        return sum(stage.seconds for stage in self.stages)

    @property
    def restarts(self) -> int:
        return sum(stage.restarts for stage in self.stages)

    def starts(self) -> Iterator[tuple[StageReport, Start]]:
        for stage in self.stages:
            for start in stage.starts:
                yield stage, start
