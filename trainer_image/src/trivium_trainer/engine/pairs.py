"""DPO's objective: what a batch of pairs costs under the policy and the reference."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from trivium_trainer.config import Dpo
from trivium_trainer.data.batches import Batch, collate
from trivium_trainer.data.examples import IGNORED
from trivium_trainer.data.order import Indices
from trivium_trainer.data.prepared import Prepared
from trivium_trainer.engine.objective import Counts, Shares, Split, examples_of
from trivium_trainer.engine.preference import METRICS, PairLogProbs, preference_loss, preference_metrics
from trivium_trainer.engine.reference import Reference, answer_log_probs


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferencePairs:
    """Direct preference optimization: the weighted losses of config.Dpo, mean over the pairs of the whole batch."""

    prepared: Prepared
    dpo: Dpo
    reference: Reference
    tables: Mapping[Split, NDArray[np.float32]] = field(default_factory=dict)
    """Precomputed reference log-probabilities, [pairs, 2] for each split; empty where the reference is live."""

    @property
    def metric_names(self) -> tuple[str, ...]:
        return METRICS

    def counts(self, split: Split, indices: Indices) -> Counts:
        examples = examples_of(self.prepared, split)
        # The first token of a row is predicted by nothing; it belongs to the prompt unless that is empty.
        chosen = (int(examples.sequence(int(index))["chosen_completion_mask"][1:].sum()) for index in indices)
        return Counts(
            sequences=len(indices),
            trained_tokens=max(1, int(np.sum(examples.trained_tokens[indices], dtype=np.int64))),
            chosen_tokens=max(1, sum(chosen)),
        )

    def batch(self, split: Split, indices: Indices) -> Batch:
        examples = examples_of(self.prepared, split)
        batch = collate([examples.sequence(int(index)) for index in indices], pad_token_id=self.prepared.pad_token_id)
        labels = batch["input_ids"].masked_fill(batch.pop("completion_mask") == 0, IGNORED)
        if self.tables:
            batch["reference_log_probs"] = torch.from_numpy(self.tables[split][indices].T.reshape(-1).copy())
        return batch | {"labels": labels}

    def shares(self, model: Any, batch: Batch, counts: Counts) -> Shares:
        chosen, rejected = answer_log_probs(model, batch).chunk(2)
        reference_chosen, reference_rejected = self.reference.log_probs(model, batch).chunk(2)
        answer_tokens = (batch["labels"][:, 1:] != IGNORED).sum(dim=1).to(chosen.device)
        chosen_tokens, rejected_tokens = answer_tokens.chunk(2)
        pairs = PairLogProbs(
            chosen=chosen,
            rejected=rejected,
            reference_chosen=reference_chosen,
            reference_rejected=reference_rejected,
            chosen_tokens=chosen_tokens,
            rejected_tokens=rejected_tokens,
        )
        whole = {"num_pairs": counts.sequences, "num_chosen_tokens": counts.chosen_tokens}
        return Shares(
            loss=preference_loss(pairs, self.dpo, **whole),
            metrics=preference_metrics(pairs, beta=self.dpo.beta, **whole),
        )
