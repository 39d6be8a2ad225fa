"""What a recipe trains: how a batch is made of sequences, and what it costs. The loop and evaluation ask nothing else.

Every number is a *share* of a whole (a global batch, an evaluation set): the shares of all micro-batches on all ranks
add up to the whole's mean, because each is divided by the whole's count. That is why 8x1 = 4x2 accumulated = 2 ranks.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from trivium_trainer.data.batches import Batch, collate
from trivium_trainer.data.examples import Examples
from trivium_trainer.data.order import Indices
from trivium_trainer.data.prepared import Prepared
from trivium_trainer.engine.losses import next_token_loss_sum

Split = str | None
"""An evaluation set's name, or None: the training set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What the shares of one whole are divided by. Known from the store on every rank, without communication."""

    sequences: int
    """Rows, or pairs."""
    trained_tokens: int
    chosen_tokens: int = 0
    """Preferences only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """One micro-batch's shares. `loss` carries the graph; `metrics` [len(metric_names)] does not."""

    loss: torch.Tensor
    metrics: torch.Tensor | None = None


class Objective(Protocol):
    """One recipe's loss."""

    @property
    def metric_names(self) -> tuple[str, ...]: ...

    def counts(self, split: Split, indices: Indices) -> Counts:
        """Of a whole: all sequences of a global batch, or all that are evaluated of a set."""

    def batch(self, split: Split, indices: Indices) -> Batch:
        """One micro-batch on CPU. Shape: see data/batches.py."""

    def shares(self, model: object, batch: Batch, counts: Counts) -> Shares:
        """Forward pass; `batch` lies on the model's device."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NextToken:
    """Cross-entropy of the trained tokens, mean over the whole batch: pre-training and fine-tuning."""

    prepared: Prepared
    flatten: bool
    """Packed rows as one flat row, which only variable-length flash attention takes."""

    @property
    def metric_names(self) -> tuple[str, ...]:
        return ()

    def counts(self, split: Split, indices: Indices) -> Counts:
        trained = examples_of(self.prepared, split).trained_tokens[indices]
        # A whole without one trained token has no mean; its loss is 0 and its step changes nothing.
        return Counts(sequences=len(indices), trained_tokens=max(1, int(np.sum(trained, dtype=np.int64))))

    def batch(self, split: Split, indices: Indices) -> Batch:
        examples = examples_of(self.prepared, split)
        return collate(
            [examples.sequence(int(index)) for index in indices],
            pad_token_id=self.prepared.pad_token_id,
            row_length=self.prepared.row_length,
            flatten=self.flatten,
        )

    def shares(self, model: object, batch: Batch, counts: Counts) -> Shares:
        inputs = {name: tensor for name, tensor in batch.items() if name != "labels"}
        return Shares(loss=next_token_loss_sum(model, inputs, batch["labels"]) / counts.trained_tokens)


def examples_of(prepared: Prepared, split: Split) -> Examples:
    """A split's sequences."""
    return prepared.train if split is None else prepared.evaluation[split]
