"""Mixtures of experts: the same losses at every ZeRO stage, on one rank and on two.

Covered: the families on DeepSpeed's list of leaf modules, and one that is not on it, in fp32. It is what the planner's
rule about ZeRO 3 rests on. Left out: GPUs, bf16, adapters, more than two ranks.
"""

import pytest
import torch
from deepspeed.runtime.zero.leaf_module_config import DEFAULT_LEAF_MODULE_CLASSES
from transformers import CONFIG_MAPPING, AutoModelForCausalLM

from trivium.planning.stages import MIXTURES_AT_ZERO_3

pytestmark = pytest.mark.slow
SHAPE = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
}
EXPERTS = {
    "mixtral": {"num_local_experts": 4},
    "qwen2_moe": {"num_experts": 4, "moe_intermediate_size": 48, "shared_expert_intermediate_size": 80},
    "qwen3_moe": {"num_experts": 4, "moe_intermediate_size": 48, "num_experts_per_tok": 2},
    "olmoe": {"num_experts": 4, "num_experts_per_tok": 2},
}
STAGES = (0, 2, 3)


def test_the_planner_opens_zero_3_to_the_families_that_run_here_and_no_other():
    assert set(EXPERTS) == MIXTURES_AT_ZERO_3


def test_deepspeeds_list_of_leaf_modules_is_the_one_that_was_run():
    listed = {path.split(".")[2] for path in DEFAULT_LEAF_MODULE_CLASSES}
    assert listed == MIXTURES_AT_ZERO_3 - {"olmoe"}


@pytest.fixture(scope="module")
def runs(lab):
    for family, experts in EXPERTS.items():
        torch.manual_seed(9)
        config = CONFIG_MAPPING[family](**SHAPE, **experts, vocab_size=lab.vocabulary, pad_token_id=3)
        AutoModelForCausalLM.from_config(config).save_pretrained(lab.root / "runs" / "ns" / "prepared" / family)
    done = {}
    for ranks in (1, 2):
        some = [
            lab.scenario(f"{family}-z{zero}-ranks{ranks}", base=family, zero=zero, ranks=ranks, steps=4)
            for family in EXPERTS
            for zero in STAGES
        ]
        lab.train(*some, ranks=ranks)
        done |= {one.name: one for one in some}
    return done


@pytest.mark.parametrize("family", EXPERTS)
@pytest.mark.parametrize("zero", STAGES)
def test_a_mixture_trains_the_same_losses_at_each_stage_on_one_rank_and_on_two(runs, family, zero):
    want = runs[f"{family}-z0-ranks1"].losses
    assert set(want) == {1, 2, 3, 4}
    assert want[4] < want[1]
    for ranks in (1, 2):
        have = runs[f"{family}-z{zero}-ranks{ranks}"].losses
        assert list(have.values()) == pytest.approx(list(want.values()), abs=2e-6)
