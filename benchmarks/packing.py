"""Packed rows against rows padded to the batch's longest: our recipe on both sides, on answers of skewed lengths."""

from pathlib import Path
from statistics import mean

from benchmarks.comparison import Bench, Goal, Settings
from benchmarks.corpus import documents, questions, write_rows
from benchmarks.loop_sides import facts, ours
from benchmarks.workload import Shape, make_base, prepare_workload

NAME = "packing"
GOALS = (
    Goal(
        title="Fine-tuning, non-pad tokens/s, packed against padded to the longest",
        side="packed",
        against="padded",
        figure="tokensPerSecond",
        goal=1.5,
    ),
)
MAX_LENGTH = 512
PADDED_EXAMPLES = 8


def prepare(settings: Settings, folder: Path) -> Bench:
    """One packed row of 512 tokens a step, and eight padded examples, which hold about as many tokens.

    So an optimizer step costs both sides the same share; with more tokens a step, packing would gain by that alone.
    """
    base = make_base(folder / "base", documents(), parameters=settings.parameters)
    data = folder / "data" / "questions.jsonl"
    write_rows(data, questions())
    workloads = {
        name: prepare_workload(
            folder / name,
            Shape(recipe="sft", batch=batch, max_length=MAX_LENGTH, packing=name == "packed"),
            settings,
            base=base,
            data=data,
        )
        for name, batch in (("packed", 1), ("padded", PADDED_EXAMPLES))
    }
    return Bench(
        sides={name: ours(workload, folder / f"{name}-side", settings) for name, workload in workloads.items()},
        facts=facts(workloads["packed"], settings)
        | {
            "histogram": workloads["packed"].histogram,
            "tokensPerStep": {name: mean(workload.tokens) for name, workload in workloads.items()},
        },
    )
