"""The learning rate as a pure function of the step, so that a resumed run needs no scheduler state."""

import math

from trivium_trainer.config import Optimization


def learning_rate_at(step: int, optimization: Optimization) -> float:
    """The learning rate of optimizer step `step`, counted from 0.

    Linear warm-up over ceil(warmupFraction · totalSteps) steps (the first step already trains), then the schedule down
    to minimumLearningRateFraction of the peak at the last step.
    """
    peak, total = optimization.learning_rate, optimization.total_steps
    warmup = math.ceil(optimization.warmup_fraction * total)
    if step < warmup:
        return peak * (step + 1) / warmup
    floor = optimization.minimum_learning_rate_fraction
    # The last step (total - 1) reaches the floor; one step of decay has no way to go.
    progress = min(1.0, (step - warmup) / max(1, total - 1 - warmup))
    match optimization.schedule:
        case "constant":
            return peak
        case "linear":
            return peak * (1 - (1 - floor) * progress)
        case "cosine":
            return peak * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress)))
