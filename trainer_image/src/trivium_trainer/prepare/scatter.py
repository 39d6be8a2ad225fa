"""Runs the parts: on the cluster's cores through Ray Data, or here where that would be slower.

The driver starts Ray for prepare only where the job asks for several workers.
"""

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from trivium_trainer.prepare.part_task import process_part
from trivium_trainer.prepare.parts import Part, PartOutcome, Tokenizing


def process_parts(parts: Sequence[Part], how: Tokenizing, *, beat: Callable[[], None]) -> list[PartOutcome]:
    """The outcome of each part, in order. Parts whose shard is complete cost one look at their marker.

    A single part stays in this process even so: a Ray worker would need longer to import the tokenizer than to use it.
    The first failure ends the work: later parts could only add another reason for the same end.
    """
    # Ray's import costs a second, and where nobody has imported it nobody has initialized it.
    ray = sys.modules.get("ray")
    if len(parts) > 1 and ray is not None and ray.is_initialized():
        return _on_cluster(parts, how, beat=beat)
    outcomes: list[PartOutcome] = []
    for part in parts:
        outcomes.append(process_part(part, how, beat=beat))
        if outcomes[-1].failure is not None:
            break
    return outcomes


def _on_cluster(parts: Sequence[Part], how: Tokenizing, *, beat: Callable[[], None]) -> list[PartOutcome]:
    # Imported here: two seconds that a job with one part does not need.
    import ray.data  # noqa: PLC0415 - only where prepare has several pods

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    rows = [{"number": number, "part": part.model_dump_json()} for number, part in enumerate(parts)]
    outcomes: dict[int, PartOutcome] = {}
    # A block for each part: a block is what Ray Data schedules.
    dataset = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
        _process_row, fn_kwargs={"how_json": how.model_dump_json()}, num_cpus=1
    )
    for row in dataset.iter_rows():
        beat()
        outcomes[int(row["number"])] = PartOutcome.model_validate_json(row["outcome"])
    return [outcomes[number] for number in range(len(parts))]


def _process_row(row: dict[str, Any], *, how_json: str) -> dict[str, Any]:
    # One core is what the task has asked for; the tokenizer would otherwise start a thread for each of the node's.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    outcome = process_part(Part.model_validate_json(row["part"]), Tokenizing.model_validate_json(how_json))
    return {"number": row["number"], "outcome": outcome.model_dump_json()}
