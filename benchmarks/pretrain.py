"""Pre-training: our recipe's loop against one written by hand, over the same packed rows."""

from pathlib import Path

from benchmarks.comparison import Bench, Goal, Settings
from benchmarks.corpus import documents, write_rows
from benchmarks.loop_sides import facts, ours, theirs
from benchmarks.workload import Shape, make_base, prepare_workload

NAME = "pretrain"
GOALS = (
    Goal(
        title="Pre-training, tokens/s, against a loop written by hand",
        side="ours",
        against="handwritten",
        figure="tokensPerSecond",
        goal=0.97,
    ),
)


def prepare(settings: Settings, folder: Path) -> Bench:
    """Two rows of 256 tokens a step."""
    texts = documents()
    base = make_base(folder / "base", texts, parameters=settings.parameters)
    data = folder / "data" / "documents.jsonl"
    write_rows(data, ({"text": text} for text in texts))
    shape = Shape(recipe="pretrain", batch=2, max_length=128, packing=True)
    workload = prepare_workload(folder / "pretrain", shape, settings, base=base, data=data)
    return Bench(
        sides={
            "ours": ours(workload, folder / "ours", settings),
            "handwritten": theirs("handwritten", workload, folder / "handwritten", settings),
        },
        same_work=("ours", "handwritten"),
        facts=facts(workload, settings) | {"rowsPerStep": shape.batch},
    )
