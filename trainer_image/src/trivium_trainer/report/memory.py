"""Planned against measured memory. The plan is the operator's, in status form: read leniently, never obeyed."""

import re
from typing import Any

from trivium_trainer.report.bars import BarChart, memory_bars
from trivium_trainer.report.run_report import StageReport

_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_UNITS |= {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_QUANTITY = re.compile(r"([0-9]{1,20}(?:\.[0-9]{1,20})?)(Ki|Mi|Gi|Ti|k|M|G|T)?")

MAX_RANKS = 16
"""Bars for more ranks say nothing new: the highest is shown among the first ones, and the text says how many more."""


def chart_memory(stage: StageReport, *, key: str) -> BarChart | None:
    """The plan's need and room, then the measured peak of each rank; None if nothing was measured or planned."""
    plan = planned_memory(stage)
    words = {"needed": "planned", "available": "available"}
    rows = [(words[name], value, words[name]) for name, value in plan.items()]
    ranks = sorted(stage.memory, key=lambda line: -line.peak_bytes)[:MAX_RANKS]
    sources = {"cuda": "GPU", "rss": "process"}
    rows += [
        (f"rank {line.rank} ({sources[line.source]})", float(line.peak_bytes - line.baseline_bytes), "measured")
        for line in sorted(ranks, key=lambda line: line.rank)
    ]
    return memory_bars(rows, key=key)


def planned_memory(stage: StageReport) -> dict[str, float]:
    """Bytes by name: needed, available; {} if the plan says nothing."""
    return _known({name: _memory_block(stage).get(name) for name in ("needed", "available")})


def measured_memory(stage: StageReport) -> float | None:
    """Bytes of the rank that held the most, above what its process held before there was a model."""
    return max((float(max(0, line.peak_bytes - line.baseline_bytes)) for line in stage.memory), default=None)


def planned_breakdown(stage: StageReport) -> dict[str, float]:
    """Bytes by part of the need, as the planner names them."""
    parts = _memory_block(stage).get("breakdown")
    return _known(parts) if isinstance(parts, dict) else {}


def parse_quantity(value: Any) -> float | None:
    """Bytes from a number or a Kubernetes quantity (`71.2Gi`); None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value) if 0 <= value < float("inf") else None
    match = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    return float(match[1]) * _UNITS[match[2] or ""] if match else None


def _memory_block(stage: StageReport) -> dict[str, Any]:
    memory = stage.block("plan").get("memoryPerGPU")
    return memory if isinstance(memory, dict) else {}


def _known(quantities: dict[str, Any]) -> dict[str, float]:
    parsed = {name: parse_quantity(value) for name, value in quantities.items()}
    return {name: value for name, value in parsed.items() if value is not None}
