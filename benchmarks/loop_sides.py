"""Tasks of the sides that train: the same workload in the words of each."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.comparison import Figures, Settings
from benchmarks.side_process import run_side
from benchmarks.workload import LEARNING_RATE, Workload


def ours(workload: Workload, folder: Path, settings: Settings) -> Callable[[], Figures]:
    """Our recipe over the prepared data."""
    task = {"config": workload.config.model_dump(mode="json", by_alias=True), "tokens": workload.tokens}
    return partial(run_side, "ours", task, folder=folder, settings=settings)


def theirs(name: str, workload: Workload, folder: Path, settings: Settings) -> Callable[[], Figures]:
    """A script over the rows that were written down."""
    assert workload.config.optimization is not None  # stage train
    task = {
        "model": str(workload.model),
        "tokenizer": str(workload.tokenizer),
        "examples": str(workload.examples),
        "tokens": workload.tokens,
        "padTokenId": workload.pad_token_id,
        "batch": workload.config.optimization.global_batch_size,
        "maxLength": workload.config.data.max_length,
        "learningRate": LEARNING_RATE,
        "cache": str(folder / "cache"),
    }
    return partial(run_side, name, task, folder=folder, settings=settings)


def facts(workload: Workload, settings: Settings) -> dict[str, Any]:
    """What a reader must know of every training comparison."""
    return {
        "parameters": workload.parameters,
        "steps": settings.steps,
        "warm-up": settings.warmup,
        "threads": settings.threads,
        "maxLength": workload.config.data.max_length,
    }
