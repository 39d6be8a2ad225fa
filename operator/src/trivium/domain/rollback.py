"""After a divergence: an earlier checkpoint, and the batches up to the bad one left out.

    checkpoints kept       20        40        60
    optimizer steps   ──────●─────────●─────────●───────✗ 73
    data left out                      [······41 to 73]      skipSteps 50 would begin at 24, which 40 has trained
    goes on from                      40, the one before the last

Data steps count global batches of the data order from 1, as the trainer does (trivium_trainer.config.SkipWindow).
"""

from datetime import datetime

from trivium.api.recovery import OnDivergence
from trivium.api.status import Attempt, CheckpointStatus, Skip


def choose_skip(
    attempt: Attempt,
    *,
    checkpoint: CheckpointStatus | None,
    skips: tuple[Skip, ...],
    rule: OnDivergence,
    now: datetime,
) -> Skip | str:
    """What is left out after `attempt` diverged, or why nothing is."""
    if rule.action == "fail":
        return "recovery.onDivergence.action: fail."
    if len(skips) >= rule.max_rollbacks:
        return f"recovery.onDivergence.maxRollbacks: {len(skips)} of {rule.max_rollbacks} rollbacks are done."
    rollback_to = _earlier_checkpoint(checkpoint)
    bad = _bad_data_step(attempt, skips)
    first = data_step_of(rollback_to + 1, skips)
    # Windows never overlap: what an earlier one leaves out was not trained, so it cannot have been the cause.
    behind = [skip.data_step + skip.steps for skip in skips if skip.data_step + skip.steps <= bad]
    start = max(bad - rule.skip_steps + 1, first, *behind)
    return Skip(data_step=start, steps=max(1, bad - start + 1), rollback_to=rollback_to, at=now)


def data_step_of(step: int, skips: tuple[Skip, ...]) -> int:
    """The data step that an optimizer step trains: the step-th one that no window holds. Both count from 1."""
    for skip in sorted(skips, key=lambda one: one.data_step):
        if skip.data_step <= step:
            step += skip.steps
    return step


def _earlier_checkpoint(checkpoint: CheckpointStatus | None) -> int:
    """The one before the last: the last may hold what led to the divergence."""
    kept = sorted(set(checkpoint.kept)) if checkpoint is not None else []
    return kept[-2] if len(kept) > 1 else 0


def _bad_data_step(attempt: Attempt, skips: tuple[Skip, ...]) -> int:
    """Where the trainer says that it diverged; else the step after the last one that it reported."""
    failure = attempt.failure
    if failure is not None and failure.data_step:
        return failure.data_step
    step = failure.step if failure is not None and failure.step else attempt.last_step + 1
    return data_step_of(step, skips)
