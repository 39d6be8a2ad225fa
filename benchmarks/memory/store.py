"""The measurements, as a JSON file beside the tests that hold the planner to them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from benchmarks.memory.case import Case

MEASUREMENTS = Path(__file__).parents[2] / "tests/unit/planning/memory_measurements.json"

Kind = Literal["engine", "shapes", "resident"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """A case and what the rank that held most held. Bytes; `windows` by name: {"peak", "parts"}."""

    kind: Kind
    case: Case
    windows: dict[str, dict[str, Any]]


def load(path: Path = MEASUREMENTS) -> list[Measurement]:
    """In the order in which they were measured."""
    entries = json.loads(path.read_text())["measurements"]
    return [Measurement(kind=one["kind"], case=Case.from_json(one["case"]), windows=one["windows"]) for one in entries]


def keep(measurements: Sequence[Measurement], *, machine: dict[str, str], path: Path = MEASUREMENTS) -> None:
    """Write all of them, one line each, so that a difference can be read."""
    lines = [json.dumps({"kind": one.kind, "case": one.case.to_json(), "windows": one.windows}) for one in measurements]
    body = ",\n".join(f"    {line}" for line in lines)
    path.write_text(f'{{\n  "machine": {json.dumps(machine)},\n  "measurements": [\n{body}\n  ]\n}}\n')


def machine(path: Path = MEASUREMENTS) -> dict[str, str]:
    """Where and with which versions they were measured."""
    return dict(json.loads(path.read_text())["machine"])
