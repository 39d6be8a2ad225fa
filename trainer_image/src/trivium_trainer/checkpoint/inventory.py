"""Which checkpoints a stage has: those with a marker count, the rest is swept away. Rank 0 only, nothing of torch."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from trivium_trainer.checkpoint.marker import Marker, find_damage, read_marker, sync

STEP_FOLDER = re.compile(r"^step-\d{8}$")
DAMAGED_PREFIX = "damaged-"


@dataclass(frozen=True, slots=True)
class Complete:
    """A checkpoint with a marker."""

    folder: Path
    marker: Marker


def list_complete(checkpoints: Path) -> list[Complete]:
    """Complete checkpoints, newest first."""
    found = []
    for folder in sorted(_step_folders(checkpoints), reverse=True):
        marker = read_marker(folder)
        if marker is not None:
            found.append(Complete(folder, marker))
    return found


def sweep_incomplete(checkpoints: Path) -> list[Path]:
    """Delete what a killed save left behind: step folders without a marker. Returns what was deleted."""
    incomplete = [folder for folder in _step_folders(checkpoints) if read_marker(folder) is None]
    for folder in incomplete:
        shutil.rmtree(folder)
    return incomplete


def find_newest_sound(checkpoints: Path) -> tuple[Complete | None, list[str]]:
    """The newest checkpoint whose files are as they were written, and what is wrong with newer ones.

    A damaged one is set aside, so that the run goes on from the one before it and a person can look at it; the next
    save removes it.
    """
    problems: list[str] = []
    for candidate in list_complete(checkpoints):
        damage = next(filter(None, (find_damage(candidate.folder, file) for file in candidate.marker.files)), None)
        if damage is None:
            return candidate, problems
        problems.append(f"{candidate.folder.name}: {damage}")
        candidate.folder.rename(checkpoints / f"{DAMAGED_PREFIX}{candidate.folder.name}")
    return None, problems


def apply_retention(checkpoints: Path, *, keep: int) -> None:
    """Keep the newest complete checkpoints; called only after a new one is complete.

    The marker goes first: a crash in the middle leaves a folder that the next start sweeps.
    """
    for old in list_complete(checkpoints)[keep:]:
        (old.folder / "marker.json").unlink()
        sync(old.folder)
        shutil.rmtree(old.folder)
    for damaged in checkpoints.glob(f"{DAMAGED_PREFIX}step-*"):
        shutil.rmtree(damaged)


def _step_folders(checkpoints: Path) -> list[Path]:
    if not checkpoints.is_dir():
        return []
    return [path for path in checkpoints.iterdir() if path.is_dir() and STEP_FOLDER.match(path.name)]
