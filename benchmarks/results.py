"""Result files: `results/<comparison>.json`, kept only where the settings reach what the goals ask for."""

import json
from pathlib import Path
from typing import Any

from benchmarks.comparison import Settings

RESULTS = Path(__file__).parent / "results"


def keep(result: dict[str, Any], folder: Path) -> Path:
    """Write one result. The last one of each comparison is kept."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result['comparison']}.json"
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return path


def read(name: str, folder: Path) -> dict[str, Any] | None:
    """The result of a comparison; None where there is none, or one of a smoke test."""
    path = folder / f"{name}.json"
    if not path.is_file():
        return None
    result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return result if Settings(**result["settings"]).counts else None
