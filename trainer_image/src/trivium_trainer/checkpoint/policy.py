"""When to save: every so many steps, every so many minutes, at the last step. Pure; the clock is an argument."""

from dataclasses import dataclass

from trivium_trainer.config import Checkpoints

AUTO_FRACTION = 10
AUTO_MINUTES = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SavePolicy:
    """Resolved from RunConfig.checkpoints."""

    every_steps: int | None
    every_seconds: float | None
    total_steps: int

    def is_due(self, step: int, *, overdue: bool) -> bool:
        """After `step` completed steps. `overdue` is rank 0's verdict on the clock, which all ranks share."""
        by_steps = self.every_steps is not None and step % self.every_steps == 0
        return by_steps or overdue or step == self.total_steps

    def is_overdue(self, seconds_since_last: float) -> bool:
        """Whether the clock alone asks for a checkpoint."""
        return self.every_seconds is not None and seconds_since_last >= self.every_seconds


def save_policy(checkpoints: Checkpoints, *, total_steps: int) -> SavePolicy:
    """Both absent: every tenth of the run, and at least every fifteen minutes."""
    steps, minutes = checkpoints.every_steps, checkpoints.every_minutes
    if steps is None and minutes is None:
        steps, minutes = max(1, total_steps // AUTO_FRACTION), AUTO_MINUTES
    return SavePolicy(
        every_steps=steps, every_seconds=None if minutes is None else minutes * 60, total_steps=total_steps
    )
