"""Fine-tuning: our recipe's loop against one written by hand and against TRL's SFTTrainer, over the same rows."""

from pathlib import Path

from benchmarks.comparison import Bench, Goal, Settings
from benchmarks.corpus import documents, questions, write_rows
from benchmarks.loop_sides import facts, ours, theirs
from benchmarks.workload import Shape, make_base, prepare_workload

NAME = "sft"
GOALS = (
    Goal(
        title="Fine-tuning, tokens/s, against a loop written by hand",
        side="ours",
        against="handwritten",
        figure="tokensPerSecond",
        goal=0.97,
    ),
    Goal(
        title="Fine-tuning, tokens/s, against TRL's SFTTrainer",
        side="ours",
        against="trl",
        figure="tokensPerSecond",
        goal=1.0,
    ),
)


def prepare(settings: Settings, folder: Path) -> Bench:
    """Four examples a step, padded to the longest: what all three can do alike (packing is measured by itself)."""
    base = make_base(folder / "base", documents(), parameters=settings.parameters)
    data = folder / "data" / "questions.jsonl"
    write_rows(data, questions())
    shape = Shape(recipe="sft", batch=4, max_length=128, packing=False)
    workload = prepare_workload(folder / "sft", shape, settings, base=base, data=data)
    return Bench(
        sides={
            "ours": ours(workload, folder / "ours", settings),
            "handwritten": theirs("handwritten", workload, folder / "handwritten", settings),
            "trl": theirs("trl_sft", workload, folder / "trl", settings),
        },
        same_work=("ours", "handwritten", "trl"),
        facts=facts(workload, settings) | {"examplesPerStep": shape.batch},
    )
