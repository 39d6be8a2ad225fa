"""Inputs of the training comparisons: a base model, data prepared by our own stage, and the same rows for everyone.

Torch and transformers are imported where they are used: writing the table needs neither.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.comparison import Settings
from trivium_trainer.config import Architecture, Model, RunConfig, TrainTokenizer
from trivium_trainer.data.prepared import open_prepared
from trivium_trainer.model.presets import PRESETS
from trivium_trainer.progress import Doing
from trivium_trainer.report_data import Line

LEARNING_RATE = 3e-4
SEED = 11


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One prepared run. `examples` holds the rows of every step in the order of training, one JSON object a line."""

    config: RunConfig
    model: Path
    tokenizer: Path
    pad_token_id: int
    examples: Path
    tokens: list[int]
    """Non-pad tokens of each optimizer step."""
    parameters: int
    histogram: dict[str, int]
    """Of example lengths; see SourceStatistics.length_histogram."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a comparison trains. Units: batch in sequences, max_length in tokens."""

    recipe: str
    batch: int
    max_length: int
    packing: bool


class _Quiet:
    """A Session that nobody listens to: preparation is not measured."""

    rank = 0
    world_size = 1
    local_rank = 0

    def beat(self, activity: Doing) -> None:
        del activity

    def progress(self, **fields: Any) -> None:
        del fields

    def write(self, line: Line) -> None:
        del line

    def stop_requested(self) -> bool:
        return False

    def save_requested(self) -> bool:
        return False


def make_base(folder: Path, texts: list[str], *, parameters: int) -> Path:
    """A model from the smallest preset with so many parameters, random weights, and a tokenizer of these texts."""
    import torch
    from transformers import AutoModelForCausalLM

    from trivium_trainer.model.architecture import resolve_architecture
    from trivium_trainer.prepare.tokenizer import train_tokenizer

    name = preset_of(parameters)
    tokenizer = train_tokenizer(texts, TrainTokenizer(vocab_size=PRESETS[name].vocabulary))
    config = resolve_architecture(
        Model(architecture=Architecture(preset=name)),
        vocab_size=len(tokenizer),
        max_length=512,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    torch.manual_seed(SEED)
    AutoModelForCausalLM.from_config(config, dtype=torch.float32).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def preset_of(parameters: int) -> str:
    """The smallest preset with at least this many."""
    enough = [(preset.parameters, name) for name, preset in PRESETS.items() if preset.parameters >= parameters]
    if not enough:
        largest = max(preset.parameters for preset in PRESETS.values())
        raise ValueError(f"--parameters: {parameters:,} is more than the largest preset has, {largest:,}. Use fewer.")
    return min(enough)[1]


def prepare_workload(folder: Path, shape: Shape, settings: Settings, *, base: Path, data: Path) -> Workload:
    """Run stage prepare as a job would, then write its rows down for the sides that are not ours."""
    from trivium_trainer.prepare.run import run_prepare

    steps = settings.warmup + settings.steps
    config = _config(folder, shape, base=base, data=data, steps=steps)
    inspection = run_prepare(config.model_copy(update={"stage": "prepare"}), _Quiet())
    prepared = open_prepared(config)
    order = prepared.order(global_batch_size=shape.batch, seed=SEED)
    examples = folder / "examples.jsonl"
    tokens = []
    with examples.open("w", encoding="utf-8") as file:
        for step in range(steps):
            rows = [prepared.train.sequence(int(index)) for index in order.indices(step)]
            tokens.append(sum(len(row["input_ids"]) for row in rows))
            kept = ("input_ids", "labels", "position_ids") if shape.packing else ("input_ids", "labels")
            file.writelines(json.dumps({name: row[name].tolist() for name in kept}) + "\n" for row in rows)
    assert prepared.model_dir is not None  # the base model is a folder
    return Workload(
        config=config,
        model=prepared.model_dir,
        tokenizer=prepared.tokenizer_dir,
        pad_token_id=prepared.pad_token_id,
        examples=examples,
        tokens=tokens,
        parameters=inspection.parameters,
        histogram=inspection.length_histogram,
    )


def _config(folder: Path, shape: Shape, *, base: Path, data: Path, steps: int) -> RunConfig:
    """One rank, ZeRO-2, fp32, AdamW, no evaluation; the first save would come after the last measured step."""
    return RunConfig.model_validate(
        {
            "job": {
                "kind": "PretrainJob" if shape.recipe == "pretrain" else "SFTJob",
                "namespace": "benchmarks",
                "name": folder.name,
                "uid": folder.name,
                "specDigest": "0",
            },
            "stage": "train",
            "recipe": shape.recipe,
            "runs": str(folder / "runs"),
            "model": {"source": {"path": str(base)}},
            "data": {
                "train": [{"name": "standard-library", "source": {"path": str(data)}}],
                "maxLength": shape.max_length,
                "packing": "on" if shape.packing else "off",
            },
            "optimization": {
                "totalSteps": steps + 1,
                "globalBatchSize": shape.batch,
                "learningRate": LEARNING_RATE,
                "schedule": "constant",
                "warmupFraction": 0.0,
                "seed": SEED,
            },
            "parallelism": {
                "sizes": [{"worldSize": 1, "microBatchSize": shape.batch, "gradientAccumulation": 1}],
                "zeroStage": 2,
            },
            "checkpoints": {"everySteps": steps + 1},
        }
    )
