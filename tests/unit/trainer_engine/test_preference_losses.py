"""DPO's losses against TRL's own DPOTrainer on the same batch: every loss that config.DpoLoss names.

The oracle runs TRL's `_compute_loss` unbound, on a stand-in that holds only what that method reads: no trainer is built,
no data set, no accelerator process.
"""

from collections import defaultdict
from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional

from trivium_trainer.config import Dpo, DpoLoss
from trivium_trainer.engine.preference import METRICS, PairLogProbs, check_losses, preference_loss, preference_metrics
from trivium_trainer.failure import TrainingError

# Importing trl imports bitsandbytes, which leaves a file open (0.50.2).
pytestmark = [
    pytest.mark.slow,  # that import takes seconds
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
LOSSES = ["sigmoid", "hinge", "ipo", "robust", "exo_pair", "apo_zero", "apo_down", "sft"]


def made_batch():
    """Three pairs, answers of two to six tokens. Per-token log-probabilities [6, 7] of policy and reference."""
    generator = torch.Generator().manual_seed(11)
    completion_mask = torch.zeros(6, 8, dtype=torch.long)
    for row, length in enumerate([2, 5, 3, 6, 4, 2]):
        completion_mask[row, 1 : 1 + length] = 1
    mask = completion_mask[:, 1:]
    policy, reference = (-torch.rand(6, 7, generator=generator) * 3 * mask for _ in range(2))
    return completion_mask, policy, reference


def trl_loss(types, weights, *, beta, label_smoothing):
    from trl import DPOTrainer

    completion_mask, policy, reference = made_batch()
    zeros = torch.zeros(6, 7)
    outputs = SimpleNamespace(log_probs=policy, entropy=zeros, mean_logits=zeros, is_top1=zeros.bool())
    ref_chosen, ref_rejected = reference.sum(dim=1).chunk(2)
    same = lambda value: value  # noqa: E731  one process: gathering returns what it is given
    trainer = SimpleNamespace(
        model=SimpleNamespace(training=True),
        accelerator=SimpleNamespace(device=torch.device("cpu"), gather_for_metrics=same, gather=same),
        aux_loss_enabled=False,
        ld_alpha=None,
        precompute_ref_logps=True,
        f_divergence_type="reverse_kl",
        loss_types=types,
        loss_weights=weights,
        beta=beta,
        label_smoothing=label_smoothing,
        use_weighting=False,
        _metrics={"train": defaultdict(list)},
        _total_train_tokens=0,
        _tp_size=1,
    )
    inputs = {
        "input_ids": torch.ones(6, 8, dtype=torch.long),
        "attention_mask": torch.ones(6, 8, dtype=torch.long),
        "completion_mask": completion_mask,
        "ref_chosen_logps": ref_chosen,
        "ref_rejected_logps": ref_rejected,
    }
    loss = DPOTrainer._compute_loss(trainer, lambda **_: outputs, inputs, return_outputs=False)
    return loss, trainer._metrics["train"]


def our_pairs(rows=slice(None)):
    completion_mask, policy, reference = made_batch()
    chosen, rejected = (side[rows] for side in policy.sum(dim=1).chunk(2))
    reference_chosen, reference_rejected = (side[rows] for side in reference.sum(dim=1).chunk(2))
    chosen_tokens, rejected_tokens = (side[rows] for side in completion_mask.sum(dim=1).chunk(2))
    return PairLogProbs(
        chosen=chosen,
        rejected=rejected,
        reference_chosen=reference_chosen,
        reference_rejected=reference_rejected,
        chosen_tokens=chosen_tokens,
        rejected_tokens=rejected_tokens,
    )


WHOLE = {"num_pairs": 3, "num_chosen_tokens": 2 + 5 + 3}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(("beta", "label_smoothing"), [(0.1, 0.05), (0.7, 0.3)])
def test_a_loss_is_the_one_that_trl_computes(name, beta, label_smoothing):
    dpo = Dpo(beta=beta, losses=[DpoLoss(type=name)], label_smoothing=label_smoothing)
    want, _ = trl_loss([name], [1.0], beta=beta, label_smoothing=label_smoothing)
    torch.testing.assert_close(preference_loss(our_pairs(), dpo, **WHOLE), want)


def test_weighted_losses_add_up_as_in_trl():
    dpo = Dpo(losses=[DpoLoss(type="sigmoid"), DpoLoss(type="sft", weight=0.2)])
    want, _ = trl_loss(["sigmoid", "sft"], [1.0, 0.2], beta=0.1, label_smoothing=0.0)
    torch.testing.assert_close(preference_loss(our_pairs(), dpo, **WHOLE), want)


@pytest.mark.parametrize("name", LOSSES)
def test_the_shares_of_micro_batches_add_up_to_the_whole(name):
    dpo = Dpo(losses=[DpoLoss(type=name)], label_smoothing=0.1)
    parts = [preference_loss(our_pairs(slice(at, at + 1)), dpo, **WHOLE) for at in range(3)]
    torch.testing.assert_close(sum(parts), preference_loss(our_pairs(), dpo, **WHOLE))


def test_the_metrics_are_those_of_trl():
    have = dict(zip(METRICS, preference_metrics(our_pairs(), beta=0.1, **WHOLE).tolist(), strict=True))
    _, want = trl_loss(["sigmoid"], [1.0], beta=0.1, label_smoothing=0.0)
    for ours, theirs in {
        "reward_chosen": "rewards/chosen",
        "reward_rejected": "rewards/rejected",
        "reward_margin": "rewards/margins",
        "reward_accuracy": "rewards/accuracies",
        "logps_chosen": "logps/chosen",
        "logps_rejected": "logps/rejected",
    }.items():
        assert have[ours] == pytest.approx(want[theirs][0], abs=1e-5), ours
    chosen_log_probs = made_batch()[1][:3]
    assert have["chosen_loss"] == pytest.approx(float(-chosen_log_probs.sum() / 10), abs=1e-6)


def test_a_loss_that_would_be_infinite_is_refused():
    with pytest.raises(TrainingError, match="labelSmoothing"):
        check_losses(Dpo(losses=[DpoLoss(type="exo_pair")]))
    check_losses(Dpo(losses=[DpoLoss(type="exo_pair")], label_smoothing=0.001))


def test_equal_policies_pay_the_logarithm_of_two():
    same = torch.tensor([-3.0, -4.0])
    pairs = PairLogProbs(
        chosen=same,
        rejected=same,
        reference_chosen=same,
        reference_rejected=same,
        chosen_tokens=same,
        rejected_tokens=same,
    )
    want = -functional.logsigmoid(torch.tensor(0.0))
    torch.testing.assert_close(preference_loss(pairs, Dpo(), num_pairs=2, num_chosen_tokens=1), want)
