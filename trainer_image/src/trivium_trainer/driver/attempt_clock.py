"""Rank 0's stopwatch, kept on the shared disk so that a killed start loses at most what it had not yet written."""

import time
from typing import Any

from pydantic import ValidationError

from trivium_trainer.config import Block
from trivium_trainer.driver.ledger import Attempt
from trivium_trainer.driver.stopwatch import Stopwatch
from trivium_trainer.durable import read_json, write_json
from trivium_trainer.progress import Doing, SecondsKind
from trivium_trainer.report_data import TimeLine


class _Record(Block):
    """`clock.json`."""

    attempt: str
    seconds: dict[SecondsKind, float]
    first_step_seconds: float | None = None
    reached: int


class AttemptClock:
    """One start's part of an attempt's time; knows what earlier starts have counted."""

    def __init__(self, attempt: Attempt, *, resumed_from: int) -> None:
        self._attempt = attempt
        record = _read(attempt)
        is_same = record is not None and record.attempt == attempt.name
        self._step = resumed_from
        self._reached = max(resumed_from, 0 if record is None else record.reached)
        self._watch = Stopwatch(
            now=time.monotonic(),
            # The only use of the wall clock: it alone goes on from one process to the next.
            age=max(0.0, time.time() - attempt.began_at()),
            reached=self._reached,
            carried=record.seconds if record is not None and is_same else {},
            first_step_seconds=record.first_step_seconds if record is not None and is_same else None,
        )

    def beat(self, doing: Doing, *, step: int) -> dict[str, Any]:
        """Count the time since the last beat; returns the fields of the next progress report."""
        self._watch.beat(doing, now=time.monotonic(), step=step)
        self._step = step
        return {
            "seconds": {kind: round(spent, 3) for kind, spent in self._watch.seconds.items()},
            "first_step_seconds": self._watch.first_step_seconds,
        }

    def line(self) -> TimeLine:
        """The same for the report's data."""
        return TimeLine(
            at=time.time(),
            attempt=self._attempt.name,
            seconds=dict(self._watch.seconds),
            first_step_seconds=self._watch.first_step_seconds,
        )

    def save(self) -> None:
        """Keep it for the next start. Raises OSError."""
        record = _Record(
            attempt=self._attempt.name,
            seconds=self._watch.seconds,
            first_step_seconds=self._watch.first_step_seconds,
            reached=max(self._reached, self._step),
        )
        write_json(self._attempt.stage.clock, record.model_dump(mode="json", by_alias=True))


def _read(attempt: Attempt) -> _Record | None:
    try:
        raw = read_json(attempt.stage.clock)
        return None if raw is None else _Record.model_validate(raw)
    except (OSError, ValueError, ValidationError):
        # Damaged: times are worth less than the run.
        return None
