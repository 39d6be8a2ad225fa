"""One optimizer step: the global batch in micro-batches, one all-reduce for everything that must be known."""

import time
from dataclasses import dataclass
from typing import Any

import torch

from trivium_trainer.data.batches import Batch
from trivium_trainer.engine.deepspeed_config import clips_by_itself
from trivium_trainer.engine.faults import check_finite
from trivium_trainer.engine.objective import Objective, Shares
from trivium_trainer.engine.run import Run
from trivium_trainer.engine.schedule import learning_rate_at


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """What one step did, the same on every rank. Units: seconds of this step alone."""

    loss: float
    metrics: dict[str, float]
    learning_rate: float
    grad_norm: float | None
    trained_tokens: int
    seconds: float
    stop: bool
    """Rank 0 was asked to stop."""
    overdue: bool
    """Rank 0's clock asks for a checkpoint."""


def train_step(run: Run, engine: Any, objective: Objective, *, step: int, overdue: bool) -> StepResult:
    """Train the global batch of optimizer step `step`, counted from 0. Raises Diverged."""
    started = time.perf_counter()
    indices = run.order.indices(step)
    counts = objective.counts(None, indices)
    learning_rate = learning_rate_at(step, run.optimization)
    for group in engine.optimizer.param_groups:
        group["lr"] = learning_rate

    per_rank = len(indices) // run.ranks.world_size
    mine = indices[run.ranks.rank * per_rank : (run.ranks.rank + 1) * per_rank]
    micro = run.size.micro_batch_size
    sums = torch.zeros(1 + len(objective.metric_names) + 2, dtype=torch.float64, device=run.ranks.device)
    clips = clips_by_itself(run.engine_settings(load_universal=False))
    grad_norm = None
    for start in range(0, per_rank, micro):
        batch = to_device(objective.batch(None, mine[start : start + micro]), run.ranks.device)
        shares = objective.shares(engine, batch, counts)
        # DeepSpeed averages gradients over the ranks and would over accumulation; our shares are sums.
        engine.backward(shares.loss * run.ranks.world_size, scale_wrt_gas=False)
        _add(sums, shares)
        if clips and start + micro == per_rank:
            grad_norm = _clip(engine, run.optimization.gradient_clip)
        engine.step()

    if run.ranks.is_first:
        sums[-2], sums[-1] = float(run.session.stop_requested()), float(overdue)
    loss, *metrics, stop, save = run.ranks.sum(sums).tolist()
    norm = engine.get_global_grad_norm() if grad_norm is None else grad_norm
    grad_norm = None if norm is None else float(norm)
    check_finite(step=step + 1, data_step=run.order.data_step(step + 1), loss=loss, grad_norm=grad_norm)
    return StepResult(
        loss=loss,
        metrics=dict(zip(objective.metric_names, metrics, strict=True)),
        learning_rate=learning_rate,
        grad_norm=grad_norm,
        trained_tokens=counts.trained_tokens,
        seconds=time.perf_counter() - started,
        stop=stop > 0,
        overdue=save > 0,
    )


def to_device(batch: Batch, device: torch.device) -> Batch:
    """The batch where the model is; copies overlap with the GPU's work. Labels stay: positions are chosen on CPU."""
    if device.type == "cpu":
        return batch
    return {
        name: tensor if name == "labels" else tensor.pin_memory().to(device, non_blocking=True)
        for name, tensor in batch.items()
    }


def _add(sums: torch.Tensor, shares: Shares) -> None:
    sums[0] += shares.loss.detach()
    if shares.metrics is not None:
        sums[1:-2] += shares.metrics


def _clip(engine: Any, gradient_clip: float) -> torch.Tensor:
    """Clip the gradients that DeepSpeed has already averaged. Returns their norm before clipping."""
    parameters = [parameter for parameter in engine.module.parameters() if parameter.requires_grad]
    limit = gradient_clip if gradient_clip > 0 else float("inf")
    return torch.nn.utils.clip_grad_norm_(parameters, limit)
