"""Lines of a course that a rollback has left: they are of no curve and no table any more."""

from collections.abc import Iterable

from trivium_trainer.config import SkipWindow
from trivium_trainer.report_data import CheckpointLine, EvaluationLine, Line, RunLine, SampleLine, StepLine

STEPPED = (StepLine, EvaluationLine, SampleLine, CheckpointLine)


def without_abandoned(lines: Iterable[Line]) -> list[Line]:
    """Without what was trained before a rollback and after the checkpoint that it went back to."""
    kept: list[Line] = []
    skips: list[SkipWindow] = []
    for line in lines:
        if isinstance(line, RunLine):
            if any(window not in skips for window in line.skips):
                resumed = line.resumed_from_step
                kept = [old for old in kept if not isinstance(old, STEPPED) or old.step <= resumed]
            skips = line.skips
        kept.append(line)
    return kept
