"""What happened to a stage's starts, on the shared disk: the only memory that survives driver, ranks and cluster.

    {"kind": "attempt", ...}    a driver began: one Ray cluster
    {"kind": "restart", ...}    a start of the ranks ended with an error; "ended": and the attempt with it

A start's number is the count of lines before it, so it is never used twice, and `failures/<start>.json` cannot be
mistaken for an earlier start's. Writers: the driver, then the controller's callback; never both at once.
"""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trivium_trainer.durable import (
    append_line,
    create_json,
    cut_torn_line,
    read_json,
    read_lines,
)
from trivium_trainer.failure import Failure
from trivium_trainer.layout import StageDirectory

UNCOUNTED = "Preempted"
"""A node that was taken away costs no restart of the job's budget."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt's place in the ledger. Plain paths, so that Ray can carry it to controller and ranks."""

    stage: StageDirectory
    name: str

    @property
    def folder(self) -> Path:
        return self.stage.attempts / self.name

    @property
    def probe(self) -> Path:
        """Written by the driver before any rank starts: a rank that cannot see it writes to another disk."""
        return self.folder / "probe"

    @property
    def stop(self) -> Path:
        """Exists once the run shall checkpoint and stop; rank 0 looks for it."""
        return self.folder / "stop"

    @property
    def taken_over(self) -> Path:
        """Exists once rank 0 reports by itself, so that the driver is silent."""
        return self.folder / "rank-0"

    @property
    def budget(self) -> Path:
        return self.folder / "budget.json"

    def start_number(self) -> int:
        """The number of the start that is running or about to run."""
        return len(read_lines(self.stage.ledger))

    def restarts(self) -> int:
        """Restarts inside this attempt so far."""
        return len(self._own_restarts())

    def preemptions(self) -> int:
        """Those of them that cost nothing."""
        return sum(line["failure"]["class"] == UNCOUNTED for line in self._own_restarts())

    def earlier_restarts(self) -> int:
        """Restarts inside the stage's earlier attempts, preemptions and what ended an attempt left out."""
        lines = [line for line in read_lines(self.stage.ledger) if line["kind"] == "restart"]
        inside = [line for line in lines if line["attempt"] != self.name and not line["ended"]]
        return sum(line["failure"]["class"] != UNCOUNTED for line in inside)

    def began_at(self) -> float:
        """When the driver began, in Unix seconds."""
        lines = read_lines(self.stage.ledger)
        own = (float(one["at"]) for one in lines if one["kind"] == "attempt" and one["attempt"] == self.name)
        # A mount that still shows an old ledger costs the first seconds of the attempt's account, and nothing else.
        return next(own, time.time())

    def failure_path(self, start: int) -> Path:
        return self.stage.failures / f"{start}.json"

    def write_failure(self, start: int, failure: Failure) -> bool:
        """Name what ended a start; the rank that says so first is believed. Returns whether it was this one."""
        return create_json(self.failure_path(start), failure.model_dump(mode="json", by_alias=True, exclude_none=True))

    def read_failure(self, start: int) -> Failure | None:
        """What a rank named as the cause of a start's end."""
        raw = read_json(self.failure_path(start))
        return None if raw is None else Failure.model_validate(raw)

    def append_restart(self, failure: Failure, *, now: float, ended: bool) -> None:
        """Close the running start. `ended`: no other follows in this attempt."""
        line = {"kind": "restart", "at": now, "attempt": self.name, "start": self.start_number(), "ended": ended}
        append_line(self.stage.ledger, {**line, "failure": failure.model_dump(mode="json", by_alias=True)})

    def keep_budget(self, remaining_restarts: int) -> None:
        """Remember the first answer's budget; later answers do not change it, the ledger counts against it."""
        create_json(self.budget, {"remainingRestarts": remaining_restarts})

    def remaining_budget(self) -> int:
        """Restarts that this attempt may still make; 0 where no answer ever came."""
        raw = read_json(self.budget)
        if raw is None:
            return 0
        return max(0, int(raw["remainingRestarts"]) - (self.restarts() - self.preemptions()))

    def _own_restarts(self) -> list[dict[str, Any]]:
        lines = read_lines(self.stage.ledger)
        return [line for line in lines if line["kind"] == "restart" and line["attempt"] == self.name]


def begin_attempt(stage: StageDirectory, name: str) -> Attempt:
    """Enter a new attempt into the ledger and make its folder, the only one. One driver at a time runs a stage."""
    attempt = Attempt(stage=stage, name=name)
    shutil.rmtree(stage.attempts, ignore_errors=True)
    stage.end_record.unlink(missing_ok=True)
    attempt.folder.mkdir(parents=True)
    attempt.probe.write_text(name)
    cut_torn_line(stage.ledger)
    append_line(stage.ledger, {"kind": "attempt", "at": time.time(), "attempt": name})
    return attempt
