"""Which checkpoints a stage has: those with a marker count, the rest is swept away. Rank 0 only, nothing of torch."""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trivium_trainer.checkpoint.marker import Marker, find_damage, read_marker
from trivium_trainer.checkpoint.rollback import skips_in_force, stands
from trivium_trainer.config import SkipWindow
from trivium_trainer.durable import sync

STEP_FOLDER = re.compile(r"^step-\d{8}$")
DAMAGED_PREFIX = "damaged-"
ABANDONED_PREFIX = "abandoned-"


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


def read_skips(checkpoints: Path, asked: Sequence[SkipWindow]) -> tuple[SkipWindow, ...]:
    """The windows of left-out data that hold for a run over these checkpoints."""
    return skips_in_force([complete.marker for complete in list_complete(checkpoints)], asked)


def list_standing(checkpoints: Path, asked: Sequence[SkipWindow]) -> list[Marker]:
    """Markers of the complete checkpoints that a run with these windows may go on from, oldest first."""
    markers = [one.marker for one in list_complete(checkpoints)]
    skips = skips_in_force(markers, asked)
    return [marker for marker in reversed(markers) if stands(marker, skips)]


def standing_steps(checkpoints: Path, asked: Sequence[SkipWindow]) -> list[int]:
    """Their steps."""
    return [marker.step for marker in list_standing(checkpoints, asked)]


def set_abandoned_aside(checkpoints: Path, skips: Sequence[SkipWindow]) -> list[int]:
    """Take checkpoints of an abandoned course out of the way, until the next save removes them. Returns their steps."""
    abandoned = [one for one in list_complete(checkpoints) if not stands(one.marker, skips)]
    for one in abandoned:
        _set_aside(one.folder, ABANDONED_PREFIX)
    return [one.marker.step for one in reversed(abandoned)]


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
        _set_aside(candidate.folder, DAMAGED_PREFIX)
    return None, problems


def apply_retention(checkpoints: Path, *, keep: int) -> None:
    """Keep the newest complete checkpoints; called only after a new one is complete.

    The marker goes first: a crash in the middle leaves a folder that the next start sweeps.
    """
    for old in list_complete(checkpoints)[keep:]:
        (old.folder / "marker.json").unlink()
        sync(old.folder)
        shutil.rmtree(old.folder)
    for prefix in (DAMAGED_PREFIX, ABANDONED_PREFIX):
        for aside in checkpoints.glob(f"{prefix}step-*"):
            shutil.rmtree(aside)


def _set_aside(folder: Path, prefix: str) -> None:
    target = folder.with_name(f"{prefix}{folder.name}")
    # The same step may have been set aside before, by an attempt that never saved.
    shutil.rmtree(target, ignore_errors=True)
    folder.rename(target)


def _step_folders(checkpoints: Path) -> list[Path]:
    if not checkpoints.is_dir():
        return []
    return [path for path in checkpoints.iterdir() if path.is_dir() and STEP_FOLDER.match(path.name)]
