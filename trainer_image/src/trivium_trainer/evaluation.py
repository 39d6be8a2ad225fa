"""Held-out losses: one for each evaluation set, by tokens (preferences: by pairs), the same at every world size."""

import itertools
import math
import re
import time
from typing import Any

import numpy as np
import torch

from trivium_trainer.checkpoint.marker import EvaluationRecord
from trivium_trainer.data.examples import Examples
from trivium_trainer.data.order import Indices
from trivium_trainer.engine import random_state
from trivium_trainer.engine.objective import Counts, Objective
from trivium_trainer.engine.rounds import rounds
from trivium_trainer.engine.run import Run
from trivium_trainer.engine.step import to_device
from trivium_trainer.progress import EVALUATION_PREFIX
from trivium_trainer.report_data import EvaluationLine


def evaluate(run: Run, engine: Any, objective: Objective, *, step: int) -> EvaluationRecord | None:
    """All evaluation sets after `step` steps, reported one by one. None where the job has none. Collective.

    Returns the mean over all sets, each weighed by what its loss is a mean of; early stopping and keepBest look at it.
    """
    weighed: list[tuple[float, int]] = []
    losses: dict[str, float] = {}
    for dataset, examples in run.prepared.evaluation.items():
        if len(examples) == 0:
            continue
        indices = evaluated_indices(examples, max_samples=run.config.evaluation.max_samples)
        counts = objective.counts(dataset, indices)
        loss, metrics = _evaluate_set(run, engine, objective, dataset=dataset, indices=indices, counts=counts)
        _report(run, step=step, dataset=dataset, loss=loss, metrics=metrics, tokens=counts.trained_tokens)
        losses[dataset] = loss
        weighed.append((loss, counts.sequences if objective.metric_names else counts.trained_tokens))
    if not weighed:
        return None
    total = sum(weight for _, weight in weighed)
    return EvaluationRecord(step=step, loss=sum(loss * weight for loss, weight in weighed) / total, losses=losses)


def held_out_metrics(record: EvaluationRecord) -> dict[str, float]:
    """The losses of an evaluation as a progress report's metrics: `eval_held_out` for the set `held-out`."""
    metrics: dict[str, float] = {}
    for dataset, loss in record.losses.items():
        name = EVALUATION_PREFIX + re.sub(r"[^a-z0-9]+", "_", dataset.lower()).strip("_")[:48]
        # Names that differ in signs alone must not hide one another.
        numbered = (name if number == 1 else f"{name}_{number}" for number in itertools.count(1))
        metrics[next(key for key in numbered if key not in metrics)] = loss
    return metrics


def evaluated_indices(examples: Examples, *, max_samples: int) -> Indices:
    """The same sequences at every evaluation: all, or maxSamples spread evenly over the set."""
    count = min(len(examples), max_samples)
    return np.arange(count, dtype=np.int64) * len(examples) // count


def _evaluate_set(
    run: Run, engine: Any, objective: Objective, *, dataset: str, indices: Indices, counts: Counts
) -> tuple[float, dict[str, float]]:
    sums = torch.zeros(1 + len(objective.metric_names), dtype=torch.float64, device=run.ranks.device)
    engine.eval()
    with random_state.forked(), torch.no_grad():
        for part, is_counted in rounds(
            indices,
            rank=run.ranks.rank,
            world_size=run.ranks.world_size,
            batch_size=run.size.micro_batch_size,
        ):
            run.session.beat("evaluate")
            batch = to_device(objective.batch(dataset, part), run.ranks.device)
            shares = objective.shares(engine, batch, counts)
            if is_counted:
                sums[0] += shares.loss
                if shares.metrics is not None:
                    sums[1:] += shares.metrics
    loss, *metrics = run.ranks.sum(sums).tolist()
    return loss, dict(zip(objective.metric_names, metrics, strict=True))


def _report(run: Run, *, step: int, dataset: str, loss: float, metrics: dict[str, float], tokens: int) -> None:
    answer_loss = metrics.get("chosen_loss", loss)
    run.session.write(
        EvaluationLine(
            at=time.time(),
            step=step,
            dataset=dataset,
            loss=loss,
            perplexity=_perplexity(answer_loss),
            tokens=tokens,
            metrics=metrics,
        )
    )


def _perplexity(loss: float) -> float | None:
    """The exponential of a mean token loss; None where it has no finite value."""
    return math.exp(loss) if loss < 700 else None
