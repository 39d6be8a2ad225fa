"""DPO's reference: the model as it was before training, asked live or computed once and kept in the run directory."""

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from trivium_trainer.data.batches import Batch
from trivium_trainer.data.order import Indices
from trivium_trainer.durable import write_durably
from trivium_trainer.engine.losses import sequence_log_probs
from trivium_trainer.engine.objective import Objective, Split, examples_of
from trivium_trainer.engine.rounds import rounds
from trivium_trainer.engine.run import Run
from trivium_trainer.engine.step import to_device
from trivium_trainer.evaluation import evaluated_indices

BLOCK_PAIRS = 1024
"""Pairs in one file of precomputed log-probabilities: what a crash may cost."""


class Reference(Protocol):
    """Log-probabilities under the model that training must not leave too far."""

    def log_probs(self, model: Any, batch: Batch) -> torch.Tensor:
        """Summed over each answer. Shape [2P]: the P chosen, then the P rejected. No gradient."""


@dataclass(frozen=True, slots=True)
class FrozenModel:
    """A second model with the weights that training started from: whole on each rank, or a ZeRO-3 engine."""

    model: Any

    def log_probs(self, model: Any, batch: Batch) -> torch.Tensor:  # noqa: ARG002  the protocol's shape
        with torch.no_grad():
            return answer_log_probs(self.model, batch)


@dataclass(frozen=True, slots=True)
class AdapterOff:
    """The trained model itself without its adapter: LoRA leaves everything else as it was."""

    def log_probs(self, model: Any, batch: Batch) -> torch.Tensor:
        plain = getattr(model, "module", model)
        with torch.no_grad(), plain.disable_adapter(), _evaluating(plain):
            return answer_log_probs(model, batch)


@dataclass(frozen=True, slots=True)
class Precomputed:
    """Values from our own file; the objective has put them into the batch."""

    def log_probs(self, model: Any, batch: Batch) -> torch.Tensor:  # noqa: ARG002  the protocol's shape
        return batch["reference_log_probs"]


def answer_log_probs(model: Any, batch: Batch) -> torch.Tensor:
    """Summed log-probability of each answer. Shape [2P], as the batch's rows."""
    inputs = {"input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"]}
    return sequence_log_probs(model, inputs, batch["labels"])


def precompute(run: Run, engine: Any, objective: Objective) -> dict[Split, NDArray[np.float32]]:
    """Reference log-probabilities of every pair that will be trained or evaluated. Collective, resumable by block.

    The engine's model itself is the reference: it has not been trained yet, and a new adapter changes nothing. Returns
    [pairs of the split, 2] arrays (chosen, rejected), NaN where a pair is never asked for.
    """
    folder = run.stage.root / "reference" / reference_digest(run)
    tables: dict[Split, NDArray[np.float32]] = {}
    for number, (split, wanted) in enumerate(_wanted(run).items()):
        table = np.full((len(examples_of(run.prepared, split)), 2), np.nan, dtype=np.float32)
        for start in range(0, len(wanted), BLOCK_PAIRS):
            block = wanted[start : start + BLOCK_PAIRS]
            path = folder / f"{number:03d}-{start // BLOCK_PAIRS:06d}.npy"
            values = run.ranks.broadcast(_read_block(path, len(block)) if run.ranks.is_first else None)
            if values is None:
                values = _compute_block(run, engine, objective, split=split, block=block)
                with run.ranks.first_goes_alone() as alone:
                    if alone:
                        folder.mkdir(parents=True, exist_ok=True)
                        write_durably(path, values.tobytes())
            table[block] = values
        tables[split] = table
    return tables


def reference_digest(run: Run) -> str:
    """Key of the file: the reference is the job's own starting point, so model, data and precision say it all."""
    from trivium_trainer.checkpoint.resume import data_digest, model_digest  # noqa: PLC0415  resume imports the loop

    parts = [data_digest(run), model_digest(run), run.config.model.dtype, str(run.optimization.total_steps)]
    # Data that is left out moves other pairs into the run.
    text = "\n".join([*parts, *(window.model_dump_json() for window in run.skips)])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _wanted(run: Run) -> dict[Split, Indices]:
    """Pairs that this run will ask for, by split."""
    wanted: dict[Split, Indices] = {None: np.unique(run.order.first_steps(run.optimization.total_steps))}
    for name, examples in run.prepared.evaluation.items():
        wanted[name] = evaluated_indices(examples, max_samples=run.config.evaluation.max_samples)
    return wanted


def _read_block(path: Path, pairs: int) -> NDArray[np.float32] | None:
    if not path.is_file() or path.stat().st_size != pairs * 2 * 4:
        return None
    return np.frombuffer(path.read_bytes(), dtype=np.float32).reshape(pairs, 2)


def _compute_block(run: Run, engine: Any, objective: Objective, *, split: Split, block: Indices) -> NDArray[np.float32]:
    """One block, shared among the ranks. Shape [block, 2]."""
    mine: list[tuple[Indices, NDArray[np.float32]]] = []
    engine.eval()
    with torch.no_grad():
        for part, is_counted in rounds(
            block, rank=run.ranks.rank, world_size=run.ranks.world_size, batch_size=run.size.micro_batch_size
        ):
            run.session.beat("evaluate")
            batch = to_device(objective.batch(split, part), run.ranks.device)
            log_probs = answer_log_probs(engine, batch)
            if is_counted:
                mine.append((part, log_probs.float().view(2, -1).T.cpu().numpy()))
    values = np.empty((len(block), 2), dtype=np.float32)
    for part, computed in (pair for rank in run.ranks.gather(mine) for pair in rank):
        values[np.searchsorted(block, part)] = computed  # a block is sorted
    return values


@contextlib.contextmanager
def _evaluating(model: Any) -> Iterator[None]:
    """No dropout, and no recomputation: what runs without gradient has nothing to recompute."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)
