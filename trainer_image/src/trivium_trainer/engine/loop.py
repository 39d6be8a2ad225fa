"""The training loop: step, record, evaluate, sample, save, stop; the same for every recipe."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from trivium_trainer.checkpoint.marker import EvaluationRecord
from trivium_trainer.checkpoint.policy import save_policy
from trivium_trainer.engine.memory import report_peak
from trivium_trainer.engine.objective import Objective
from trivium_trainer.engine.run import Run
from trivium_trainer.engine.step import StepResult, train_step
from trivium_trainer.failure import StopRequested
from trivium_trainer.report_data import StepLine

MAX_STEP_LINES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How far a run has come. `step` counts completed optimizer steps, `tokens` trained tokens over all attempts."""

    step: int = 0
    tokens: int = 0
    evaluations: tuple[EvaluationRecord, ...] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What happens beside the steps. Each runs on every rank."""

    evaluate: Callable[[int], EvaluationRecord | None]
    """After so many steps; None where there is no evaluation set."""
    sample: Callable[[int], None]
    save: Callable[[Position], None]


def train(run: Run, engine: Any, objective: Objective, hooks: Hooks, *, start: Position) -> Position:
    """Train from `start` to the last step, or to where early stopping ends it.

    Raises StopRequested once a stop by command has been saved; TrainingError(Diverged).
    """
    total = run.optimization.total_steps
    policy = save_policy(run.config.checkpoints, total_steps=total)
    position = start if start.step > 0 else _evaluated(hooks, start)
    if start.step == 0:
        hooks.sample(0)
    engine.train()
    saved_at = time.monotonic()
    run.session.beat("step")
    while position.step < total and not is_exhausted(run, position):
        overdue = policy.is_overdue(time.monotonic() - saved_at) or run.session.save_requested()
        result = train_step(run, engine, objective, step=position.step, overdue=overdue)
        position = replace(position, step=position.step + 1, tokens=position.tokens + result.trained_tokens)
        record_step(run, position, result)
        run.session.beat("step")
        if position.step == start.step + 1:
            report_peak(run)
        if is_evaluation_due(run, position.step):
            position = _evaluated(hooks, position)
        if is_sample_due(run, position.step):
            hooks.sample(position.step)
        done = position.step == total or is_exhausted(run, position)
        if result.stop or done or policy.is_due(position.step, overdue=result.overdue):
            hooks.save(position)
            saved_at = time.monotonic()
        if result.stop and not done:
            raise StopRequested(position.step)
        engine.train()
    return position


def record_step(run: Run, position: Position, result: StepResult) -> None:
    """Say what a step did: to the next progress report always, to the report's data at most a thousand times."""
    total = run.optimization.total_steps
    tokens_per_second = result.trained_tokens / result.seconds
    run.session.progress(
        step=position.step,
        total_steps=total,
        epoch=run.order.epoch(position.step),
        tokens=position.tokens,
        loss=result.loss,
        tokens_per_second=tokens_per_second,
        world_size=run.ranks.world_size,
        metrics={"learning_rate": result.learning_rate, **_grad_norm(result), **result.metrics},
    )
    every = math.ceil(total / MAX_STEP_LINES)
    if position.step % every == 0 or position.step == total:
        run.session.write(
            StepLine(
                at=time.time(),
                step=position.step,
                loss=result.loss,
                learning_rate=result.learning_rate,
                grad_norm=result.grad_norm,
                tokens=position.tokens,
                tokens_per_second=tokens_per_second,
                metrics=result.metrics,
            )
        )


def is_evaluation_due(run: Run, step: int) -> bool:
    """At the job's interval, or at every tenth of the run; and always at the end."""
    total = run.optimization.total_steps
    every = run.config.evaluation.every_steps or max(1, total // 10)
    return step % every == 0 or step == total


def is_sample_due(run: Run, step: int) -> bool:
    """During training only where the job says so; before and after are not asked here."""
    every = run.config.sampling.every_steps
    return every is not None and step % every == 0 and step < run.optimization.total_steps


def is_exhausted(run: Run, position: Position) -> bool:
    """Early stopping: the last `patience` evaluations brought no held-out loss below the best before them."""
    patience = run.config.evaluation.early_stopping_patience
    losses = [record.loss for record in position.evaluations]
    if patience is None or len(losses) <= patience:
        return False
    return min(losses[-patience:]) >= min(losses[:-patience])


def _evaluated(hooks: Hooks, position: Position) -> Position:
    record = hooks.evaluate(position.step)
    return position if record is None else replace(position, evaluations=(*position.evaluations, record))


def _grad_norm(result: StepResult) -> dict[str, float]:
    return {} if result.grad_norm is None else {"grad_norm": result.grad_norm}
