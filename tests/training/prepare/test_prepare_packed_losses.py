"""Packed rows train exactly what the examples alone would: no example sees another, under sdpa and eager.

Guards the transformers behaviour that packing rests on (see data/batches.py).
"""

import itertools

import pytest
import torch
from transformers import AutoModelForCausalLM

from trivium_trainer.data.batches import collate
from trivium_trainer.data.examples import IGNORED
from trivium_trainer.data.prepared import open_prepared

pytestmark = pytest.mark.slow


def token_losses(model, batch):
    """The loss of every trained token, in the order of the batch."""
    inputs = {name: tensor for name, tensor in batch.items() if name != "labels"}
    with torch.no_grad():
        logits = model(**inputs, use_cache=False).logits[:, :-1]
    labels = batch["labels"][:, 1:]
    losses = torch.nn.functional.cross_entropy(logits.transpose(1, 2), labels, ignore_index=IGNORED, reduction="none")
    return losses[labels != IGNORED]


def losses_by_content(model, sequences, **collating):
    """Sorted losses of each sequence's tokens: a multiset that does not depend on which row holds them."""
    batches = [collate(sequences, pad_token_id=2, **collating)]
    return torch.cat([token_losses(model, batch) for batch in batches]).sort().values


@pytest.fixture
def both(machine, rows):
    machine.write_rows("rows/a.jsonl", rows(24))
    configs = [machine.job("sft", uid=packing, packing=packing, max_length=200) for packing in ("off", "on")]
    for config in configs:
        machine.prepare(config)
    alone, packed = (open_prepared(config).train for config in configs)
    return [[one.sequence(number) for number in range(len(one))] for one in (alone, packed)]


def load(machine, attention):
    return AutoModelForCausalLM.from_pretrained(
        machine.root / "trivium/model/base", attn_implementation=attention, dtype=torch.float32
    ).eval()


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_packed_losses_equal_those_of_each_example_alone(machine, both, attention):
    alone, packed = both
    model = load(machine, attention)
    assert max((one["position_ids"] == 0).sum() for one in packed) > 1
    single = torch.cat([losses_by_content(model, [one]) for one in alone]).sort().values
    rows = losses_by_content(model, packed, row_length=200)
    padded = losses_by_content(model, alone)
    assert torch.allclose(rows, single, rtol=0, atol=1e-6 * 10)
    assert torch.allclose(padded, single, rtol=0, atol=1e-6 * 10)
    assert abs(rows.mean() - single.mean()) < 1e-6
    assert abs(padded.mean() - single.mean()) < 1e-6


def test_without_position_ids_examples_would_see_each_other(machine, both):
    """The proof above has teeth: the same rows without the block mask differ by far more than rounding."""
    alone, packed = both
    model = load(machine, "sdpa")
    batch = collate(packed, pad_token_id=2, row_length=200)
    contaminated = (
        token_losses(model, {name: one for name, one in batch.items() if name != "position_ids"}).sort().values
    )
    single = torch.cat([losses_by_content(model, [one]) for one in alone]).sort().values
    assert (contaminated - single).abs().max() > 1e-3


def test_a_cache_would_switch_the_block_mask_off(machine, both):
    """Why the model must be called with use_cache=False (transformers 5.23)."""
    _, packed = both
    model = load(machine, "sdpa")
    batch = collate(packed, pad_token_id=2, row_length=200)
    inputs = {name: batch[name] for name in ("input_ids", "position_ids")}
    with torch.no_grad():
        difference = model(**inputs, use_cache=True).logits - model(**inputs, use_cache=False).logits
    assert difference.abs().max() > 1e-3


def test_pretraining_rows_isolate_documents(machine):
    machine.write_rows("rows/a.jsonl", [{"text": f"plus {number} it is"} for number in range(12)])
    config = machine.job("pretrain", max_length=64)
    machine.prepare(config)
    train = open_prepared(config).train
    model = load(machine, "sdpa")
    row = train.sequence(0)
    starts = [number for number, position in enumerate(row["position_ids"]) if position == 0] + [len(row["input_ids"])]
    pieces = [{name: one[a:b] for name, one in row.items()} for a, b in itertools.pairwise(starts)]
    alone = torch.cat(
        [token_losses(model, collate([piece], pad_token_id=2)) for piece in pieces if len(piece["labels"]) > 1]
    )
    packed = token_losses(model, collate([row], pad_token_id=2, row_length=64))
    assert len(pieces) > 2
    assert torch.allclose(packed, alone, rtol=0, atol=1e-5)
