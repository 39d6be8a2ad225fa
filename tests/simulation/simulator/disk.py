"""Run directories on the shared claim: what survives every process, cluster and node."""

from dataclasses import dataclass, field
from typing import Any

Skips = list[dict[str, Any]]


@dataclass(kw_only=True)
class RunDirectory:
    """One stage of one job."""

    checkpoints: dict[int, Skips] = field(default_factory=dict)
    """Step of each complete one -> the skips that its marker lists."""
    digest: str | None = None
    """Of the output; None while the stage is not complete."""
    furthest: int = 0
    """The last step that was ever trained."""
    restarts_inside: int = 0
    """Times that training began again inside an attempt after a failure that costs the budget: the ledger's count."""
    train_seconds: float = 0.0
    """Spent in steps, repeated ones included."""

    def newest(self, skips: Skips) -> int:
        """The step to go on from: a checkpoint counts if it lists each skip, or lies before where that rolls back to."""
        counting = (
            step
            for step, listed in self.checkpoints.items()
            if all(skip in listed or step <= skip["rollbackTo"] for skip in skips)
        )
        return max(counting, default=0)

    def save(self, step: int, *, keep: int, skips: Skips) -> None:
        kept = sorted({*self.checkpoints, step})[-keep:]
        self.checkpoints = {one: skips if one == step else self.checkpoints[one] for one in kept}


class Disk:
    """Every run directory, by the job's uid and the stage."""

    def __init__(self) -> None:
        self._directories: dict[tuple[str, str], RunDirectory] = {}

    def open(self, uid: str, stage: str) -> RunDirectory:
        return self._directories.setdefault((uid, stage), RunDirectory())

    def of_job(self, uid: str) -> list[RunDirectory]:
        return [directory for (owner, _), directory in self._directories.items() if owner == uid]
