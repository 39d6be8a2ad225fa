"""Time to the first step: `trivium run` against `ray job submit` of a bare Ray Train script; same inputs."""

import json
import os
from functools import partial
from pathlib import Path

from benchmarks.bare_ray import start_bare
from benchmarks.comparison import Bench, Figures, Goal, Settings
from benchmarks.corpus import documents, questions, write_rows
from benchmarks.supervised import SideFailedError
from benchmarks.trivium_run import start_trivium
from benchmarks.workload import LEARNING_RATE, SEED, Shape, make_base, prepare_workload

NAME = "start"
GOALS = (
    Goal(
        title="Seconds to the first step, `trivium run` against `ray start` and `ray job submit`",
        side="trivium",
        against="bare",
        figure="seconds",
        goal=1.2,
        at_least=False,
    ),
    Goal(
        title="Seconds to the first step, `trivium run` against `ray job submit` to a Ray that is up already",
        side="trivium",
        against="submitted",
        figure="seconds",
        goal=1.2,
        at_least=False,
    ),
)
SHAPE = Shape(recipe="sft", batch=4, max_length=256, packing=False)


def prepare(settings: Settings, folder: Path) -> Bench:
    """A job whose prepared data exists; the script gets the same model and the same first batch as files."""
    base = make_base(folder / "base", documents(), parameters=settings.parameters)
    data = folder / "data" / "questions.jsonl"
    write_rows(data, questions())
    workload = prepare_workload(folder / "bare", SHAPE, Settings(warmup=0, steps=1), base=base, data=data)
    manifest = folder / "job.json"
    manifest.write_text(json.dumps(_job()))
    claims = {"base": base, "questions": data.parent}
    trivium = partial(start_trivium, manifest, claims=claims, state=folder / "state", address="sft/start")
    trivium()  # makes the prepared data, which the measured jobs find by its key
    task = {
        "model": str(workload.model),
        "examples": str(workload.examples),
        "padTokenId": workload.pad_token_id,
        "batch": SHAPE.batch,
        "learningRate": LEARNING_RATE,
        "cores": len(os.sched_getaffinity(0)),
    }
    return Bench(
        sides={
            "trivium": lambda: require_one_start(trivium()),
            "bare": partial(start_bare, task, folder / "bare-side"),
        },
        same_work=("trivium", "bare"),
        derived={"submitted": lambda figures: {"seconds": figures["bare"]["submitSeconds"]}},
        facts={"parameters": workload.parameters, "threadsOfARank": task["cores"]},
    )


def require_one_start(figures: Figures) -> Figures:
    """Raises SideFailedError where an attempt failed and another one made the first step."""
    if figures["starts"] > 1:
        raise SideFailedError("trivium run needed several starts: this machine is too busy to measure anything.")
    return figures


def _job() -> dict[str, object]:
    return {
        "apiVersion": "trivium.dev/v1alpha1",
        "kind": "SFTJob",
        "metadata": {"name": "start"},
        "spec": {
            "model": {"from": {"volume": {"claimName": "base"}}},
            "data": {
                "train": [{"name": "standard-library", "from": {"volume": {"claimName": "questions"}}}],
                "maxLength": SHAPE.max_length,
                "packing": "disabled",
            },
            "optimization": {
                "steps": 1000,
                "globalBatchSize": SHAPE.batch,
                "microBatchSize": SHAPE.batch,
                "learningRate": LEARNING_RATE,
                "schedule": "constant",
                "warmupFraction": 0,
                "seed": SEED,
            },
            "parallelism": {"zeroStage": 2},
            "storage": {"runs": {"volume": {"claimName": "runs"}}},
        },
    }
