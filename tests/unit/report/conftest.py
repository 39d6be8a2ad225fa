"""A chain of three runs as a trainer would have left it: real layout, real line models, curves with believable noise.

Used by the tests beside it. Everything is seeded, so that a failing test fails again.
"""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from trivium_trainer.failure import EndRecord, Failure, FailureClass
from trivium_trainer.layout import RunDirectory
from trivium_trainer.progress import Inspection, SourceInspection
from trivium_trainer.report_data import (
    CheckpointLine,
    EndLine,
    EvaluationLine,
    InspectionLine,
    Line,
    MemoryLine,
    RunLine,
    SampleLine,
    StepLine,
)

EPOCH = 1_795_000_000.0
SEEN = {
    "Who is your mother?": (
        "A human.",
        "A human. Actually not a mother in the way that you would say of a person or of an animal in the world.",
    ),
    "What is a computer?": (
        "A machine that computes.",
        "A machine that computes, and it can be any of the machine that is used for the computer and the other things.",
    ),
    "Do you like music?": (
        "I like all kinds of music.",
        "I like all kinds of music, but I do not hear the music in the same way as the people who play the music.",
    ),
}
HELD_OUT = {
    "Are you afraid of the dark?": (
        "No, I do not sleep.",
        "No, I am not a person of the dark, and I do not know what to be afraid of when the light is not there.",
    ),
    "What can you eat?": (
        "I cannot eat.",
        "I cannot eat, I am a computer program and the food of a program is electricity, which is not a kind of food.",
    ),
    "Tell me about the moon": (
        "It goes around the earth.",
        "It is a thing of the earth and the sun and the moon and of the other things that can be seen in the sky.",
    ),
}
RAMBLE = (
    "self.assertEqual(self.name, None)\n        self.assertRaises(TypeError, lambda: self.name)\n\n    def test_repr(self):\n"
    "        # The name of the object is not a string of the class and the\n        # value of the name is the name of the"
)


@dataclass(frozen=True, kw_only=True)
class Job:
    """Builder of one run directory; every method returns a changed copy."""

    kind: str
    name: str
    recipe: str
    steps: int
    began: float
    step_seconds: float
    first_loss: float
    last_loss: float
    learning_rate: float
    source: str
    rows: int
    tokens_per_step: int
    uid: str
    lineage: tuple[dict[str, Any], ...] = ()
    stop_at: int | None = None
    failed: bool = False
    restart_at: int | None = None
    prompts: dict[str, tuple[str, str]] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    hostile: str | None = None

    def running(self, *, at: int) -> "Job":
        return replace(self, stop_at=at)

    def diverging(self, *, at: int) -> "Job":
        return replace(self, stop_at=at, failed=True)

    def restarted(self, *, at: int) -> "Job":
        return replace(self, restart_at=at)

    def long(self, *, steps: int) -> "Job":
        return replace(self, steps=steps)

    def of(self, text: str) -> "Job":
        """The same with `text` in every place that a user or a model can write to."""
        return replace(
            self, name=text, source=text, hostile=text, prompts={text: (text, text)}, origins={},
            lineage=({"kind": text, "name": text, "uid": text, "digest": text},),
        )  # fmt: skip

    def write(self, runs: Path) -> Path:
        folder = self.name if self.hostile is None else "hostile"
        root = runs / "demo" / self.kind / folder / self.uid
        for stage, lines in (("prepare", self._prepare()), ("train", self._train())):
            directory = RunDirectory(root).stage(stage)
            directory.report_data.parent.mkdir(parents=True)
            directory.report_data.write_text("".join(to_json(line) + "\n" for line in lines))
        return root

    def config(self, stage: str) -> dict[str, Any]:
        scratch = {"architecture": {"config": {"model_type": "llama", "hidden_size": 192}}}
        return {
            "job": {
                "kind": self.kind,
                "namespace": "demo",
                "name": self.name,
                "uid": self.uid,
                "specDigest": "sha256:5f2d",
            },
            "stage": stage,
            "recipe": self.recipe,
            "model": scratch
            if self.recipe == "pretrain"
            else {"source": {"path": "/trivium/upstream/train/output/model"}},
            "data": {
                "train": [{"name": self.source, "source": {"path": self.hostile or f"/trivium/data/{self.recipe}"}}]
            },
            "optimization": {"totalSteps": self.steps, "globalBatchSize": 16, "learningRate": self.learning_rate},
            "parallelism": {"workers": 2, "zeroStage": 2, "offload": "none"},
            "sampling": {"prompts": list(self.prompts)},
            "plan": {
                "memoryPerGPU": {
                    "needed": "610Mi",
                    "available": 2 * 2**30,
                    "breakdown": {
                        "weights": "9.8Mi",
                        "gradients": "9.8Mi",
                        "optimizer": "29Mi",
                        "activations": "380Mi",
                    },
                },
                "estimatedSeconds": 140,
            },
        }

    def inspection(self) -> Inspection:
        source = SourceInspection(
            name=self.source, files=3, rows=self.rows, skipped=1, over_long=self.rows // 90, tokens=self.rows * 60,
            trained_tokens=self.rows * 41, digest="sha256:" + self.uid.replace("-", "") * 2,
            first_bad_records=[self.hostile or 'line 212: no "output"'],
        )  # fmt: skip
        lengths = {str(2**power): int(self.rows * math.exp(-((power - 6.2) ** 2) / 2) / 2.5) for power in range(3, 10)}
        return Inspection(
            architecture={"model_type": "llama"}, parameters=2_557_632, vocabulary=4096, packing=self.recipe != "dpo",
            max_length=256, train_sequences=self.rows // 3, train_examples=self.rows, train_tokens=self.rows * 41,
            evaluation_sequences={"held-out": self.rows // 40}, length_histogram=lengths, sources=[source],
            prepared_key="2f7c", tokenizer_digest="sha256:77aa01",
        )  # fmt: skip

    def _run(self, stage: str, at: float, resumed: int = 0) -> RunLine:
        environment = {
            "python": "3.11.7",
            "torch": "2.13.0",
            "deepspeed": "0.19.8",
            "ray": "2.60.0",
            "device": "cpu, 2 cores",
        }
        return RunLine(
            at=at, job=self.config(stage)["job"], stage=stage, recipe=self.recipe, config=self.config(stage), world_size=2,
            resumed_from_step=resumed, environment=environment | ({"host": self.hostile} if self.hostile else {}),
            lineage=list(self.lineage),
        )  # fmt: skip

    def _prepare(self) -> list[Line]:
        end = EndRecord(outcome="complete", stage="prepare").model_dump(mode="json", by_alias=True)
        return [
            self._run("prepare", self.began),
            InspectionLine(at=self.began + 11, inspection=self.inspection().model_dump(mode="json", by_alias=True)),
            EndLine(at=self.began + 12, record=end),
        ]

    def _train(self) -> list[Line]:
        """All lines in the order in which a trainer with at most one restart writes them."""
        began = self.began + 18
        lines: list[Line] = [self._run("train", began)]
        lines.append(InspectionLine(at=began, inspection=self.inspection().model_dump(mode="json", by_alias=True)))
        lines += [*self._evaluate(0, began + 3), *self._sample("before", 0, began + 5)]
        at, last = began + 6, self.stop_at or self.steps
        if self.restart_at is not None:
            lines += self._steps(0, self.restart_at, at)
            at = lines[-1].at + 9
            back_to = self.restart_at - self.restart_at % max(1, self.steps // 10)
            lines.append(self._run("train", at, resumed=back_to))
            lines += self._steps(back_to, last, at + 4)
        else:
            lines += self._steps(0, last, at)
        at = lines[-1].at
        lines += [MemoryLine(at=at, rank=rank, peak_bytes=(571 + 8 * rank) * 2**20, source="rss") for rank in (0, 1)]
        return [*lines, *self._end(last, at)]

    def _end(self, last: int, at: float) -> Iterator[Line]:
        if self.failed:
            failure = Failure(
                failure_class=FailureClass.DIVERGED, reason="LossIsNaN", message=self.hostile or f"The loss is NaN at step {last}.",
                remedy="Lower optimization.learningRate, or raise warmupFraction.", rank=0, exit_code=81,
            )  # fmt: skip
            record = EndRecord(outcome="failed", stage="train", step=last, failure=failure)
            yield EndLine(at=at + 1, record=record.model_dump(mode="json", by_alias=True))
        elif self.stop_at is None:
            yield from self._sample("after", last, at + 4)
            record = EndRecord(outcome="complete", stage="train", step=last, output_digest="sha256:aa")
            yield EndLine(at=at + 8, record=record.model_dump(mode="json", by_alias=True))

    def _steps(self, after: int, last: int, at: float) -> Iterator[Line]:
        noise = random.Random(f"{self.uid} {after}")
        tenth = max(1, self.steps // 10)
        for step in range(after + 1, last + 1):
            at += self.step_seconds * noise.uniform(0.9, 1.15)
            done = step / self.steps
            yield StepLine(
                at=at, step=step, loss=self._loss(done) + noise.gauss(0, 0.04 * self.first_loss * (1 - done) + 0.02),
                learning_rate=self.learning_rate * min(1, done / 0.05) * (0.55 + 0.45 * math.cos(math.pi * done)),
                grad_norm=abs(1.1 - 0.5 * done + noise.gauss(0, 0.15)), tokens=step * self.tokens_per_step,
                tokens_per_second=self.tokens_per_step / self.step_seconds * noise.uniform(0.9, 1.05), metrics=self._metrics(done, noise),
            )  # fmt: skip
            if step % tenth == 0:
                yield from self._evaluate(step, at)
                yield CheckpointLine(at=at + 0.1, step=step, seconds=noise.uniform(0.2, 0.4), bytes=31_000_000)
                at += 0.6
            if step == self.steps // 2:
                yield from self._sample("during", step, at)

    def _loss(self, done: float) -> float:
        return self.last_loss + (self.first_loss - self.last_loss) * math.exp(-5 * done)

    def _metrics(self, done: float, noise: random.Random) -> dict[str, float]:
        if self.recipe != "dpo":
            return {}
        margin = 5.9 * (1 - math.exp(-3 * done)) + noise.gauss(0, 0.4)
        return {
            "reward_margin": margin,
            "reward_accuracy": min(1.0, 0.5 + 0.5 * (1 - math.exp(-6 * done)) + noise.uniform(-0.06, 0)),
            "reward_chosen": margin * 0.2,
            "reward_rejected": -margin * 0.8,
        }

    def _evaluate(self, step: int, at: float) -> Iterator[Line]:
        done = step / self.steps
        loss = self._loss(done) + 0.05
        metrics = {
            name: value
            for name, value in self._metrics(done, random.Random(step)).items()
            if name in ("reward_margin", "reward_accuracy")
        }
        yield EvaluationLine(
            at=at + 0.05,
            step=step,
            dataset="held-out",
            loss=loss,
            perplexity=math.exp(5.0 + 0.12 * done) if metrics else math.exp(loss),
            tokens=9000,
            metrics=metrics,
        )

    def _sample(self, moment: Any, step: int, at: float) -> Iterator[Line]:
        rank = {"pretrain": 0, "sft": 1, "dpo": 2}[self.recipe] + {"before": -1, "during": 0, "after": 0}[moment]
        for prompt, (short, long) in self.prompts.items():
            text, ended, tokens = ((RAMBLE, False, 64), (long, len(prompt) % 5 != 0, 26), (short, True, 7))[
                max(0, rank)
            ]
            yield SampleLine(
                at=at,
                step=step,
                moment=moment,
                prompt=prompt,
                completion=self.hostile or text,
                ended=ended,
                tokens=tokens,
                origin=self.origins.get(prompt),
            )


def to_json(line: Line) -> str:
    """As the driver writes it."""
    return line.model_dump_json(by_alias=True)


QUESTIONS = SEEN | HELD_OUT
ORIGINS = dict.fromkeys(SEEN, "seen") | dict.fromkeys(HELD_OUT, "held-out")
PRETRAIN = Job(
    kind="PretrainJob", name="docs-base", recipe="pretrain", steps=900, began=EPOCH, step_seconds=0.16, first_loss=8.35, last_loss=4.02,
    learning_rate=2e-3, source="python-standard-library", rows=674, tokens_per_step=2048, uid="6a1f02aa-31c7-4f0e-9d3c-1f2a77d0a001",
    prompts={"def test_": (RAMBLE, RAMBLE)},
)  # fmt: skip
SFT = Job(
    kind="SFTJob", name="docs-chat", recipe="sft", steps=420, began=EPOCH + 240, step_seconds=0.25, first_loss=5.9, last_loss=3.1,
    learning_rate=1e-3, source="chatterbot-corpus", rows=2393, tokens_per_step=900, uid="6a1f02aa-31c7-4f0e-9d3c-1f2a77d0a002",
    lineage=({"kind": "PretrainJob", "name": "docs-base", "uid": PRETRAIN.uid, "digest": "sha256:aa"},), prompts=QUESTIONS, origins=ORIGINS,
)  # fmt: skip
DPO = Job(
    kind="PreferenceJob", name="docs-short", recipe="dpo", steps=120, began=EPOCH + 460, step_seconds=0.4, first_loss=0.69, last_loss=0.05,
    learning_rate=3e-5, source="short-against-rambling-derived", rows=1800, tokens_per_step=700, uid="6a1f02aa-31c7-4f0e-9d3c-1f2a77d0a003",
    lineage=(*SFT.lineage, {"kind": "SFTJob", "name": "docs-chat", "uid": SFT.uid, "digest": None}), prompts=QUESTIONS, origins=ORIGINS,
)  # fmt: skip


@pytest.fixture(scope="session")
def jobs() -> tuple[Job, Job, Job]:
    """Builders of the three jobs, in order."""
    return PRETRAIN, SFT, DPO


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory, jobs: tuple[Job, Job, Job]) -> list[Path]:
    """Three complete run directories, the middle one with a restart. Written once: tests only read them."""
    pretrain, sft, dpo = jobs
    runs = tmp_path_factory.mktemp("runs")
    return [pretrain.write(runs), sft.restarted(at=300).write(runs), dpo.write(runs)]
