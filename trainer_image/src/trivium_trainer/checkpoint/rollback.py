"""Which checkpoints count once training has diverged and data is left out. Pure.

A window of left-out data says how far back its run goes: what was trained after `rollback_to` without the window is
another course, and no run goes on from it. Whoever asks again gets the same answer, so every attempt may ask.
"""

from collections.abc import Iterable, Sequence

from trivium_trainer.checkpoint.marker import Marker
from trivium_trainer.config import SkipWindow


def stands(marker: Marker, skips: Iterable[SkipWindow]) -> bool:
    """Whether a checkpoint lies on the course that these windows describe."""
    return all(window in marker.skips or marker.step <= window.rollback_to for window in skips)


def skips_in_force(markers: Sequence[Marker], asked: Sequence[SkipWindow]) -> tuple[SkipWindow, ...]:
    """The windows of a run: those it is told, and those that its newest checkpoint was trained with.

    A job that adopts an earlier run (`continueFrom`) is told none of that run's windows; without them the data would
    not go on where the checkpoint stands. `markers`: newest first.
    """
    newest = next((marker for marker in markers if stands(marker, asked)), None)
    inherited = [] if newest is None else [window for window in newest.skips if window not in asked]
    return tuple(sorted([*asked, *inherited], key=lambda window: (window.data_step, window.steps)))
