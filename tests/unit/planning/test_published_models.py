"""Parameters of published models, counted from their config.json, equal those of their published weights.

Source of the numbers: the safetensors headers of each model's repository on the Hugging Face hub, as its page shows
them (tied weights once). The configs beside this file hold the fields that matter, nothing else.
"""

import json
from pathlib import Path

import pytest

from trivium.planning.architecture import read_architecture
from trivium.planning.parameters import count_adapter, count_parameters

CONFIGS = Path(__file__).parent / "configs"

# file: (all parameters, those that one token passes; None: all of them)
PUBLISHED = {
    "llama-2-7b": (6_738_415_616, None),
    "llama-3-8b": (8_030_261_248, None),
    "llama-3-70b": (70_553_706_496, None),
    "llama-3.2-1b": (1_235_814_400, None),
    "mistral-7b": (7_241_732_096, None),
    # Mistral says 46.7 B in all and 12.9 B for a token (mistral.ai/news/mixtral-of-experts).
    "mixtral-8x7b": (46_702_792_704, 12.9e9),
    "qwen2.5-0.5b": (494_032_768, None),
    "qwen2.5-7b": (7_615_616_512, None),
    "qwen3-0.6b": (596_049_920, None),
    "qwen3-8b": (8_190_735_360, None),
    # Qwen says 30.5 B in all and 3.3 B for a token (its model card).
    "qwen3-30b-a3b": (30_532_122_624, 3.3e9),
    "gemma-2-2b": (2_614_341_888, None),
    "gemma-2-9b": (9_241_705_984, None),
    "gemma-3-1b": (999_885_952, None),
    "phi-3-mini": (3_821_079_552, None),
}


def _architecture(name):
    return read_architecture(json.loads((CONFIGS / f"{name}.json").read_text()))


def test_every_config_is_held_to_a_published_number():
    assert {path.stem for path in CONFIGS.glob("*.json")} == set(PUBLISHED)


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_count_equals_the_published_weights(name):
    architecture = _architecture(name)
    total, active = PUBLISHED[name]
    count = count_parameters(architecture)
    assert architecture.known_family
    assert count.total == total
    passed = count.active + count.embedding
    assert passed == (total if active is None else pytest.approx(active, rel=0.02))


def test_a_lora_of_rank_16_on_llama_3_8b_has_42_million_parameters():
    # PEFT's print_trainable_parameters for r=16 on the seven projections of Llama 3 8B: 41,943,040.
    assert count_adapter(_architecture("llama-3-8b"), rank=16, target_modules="all-linear") == 41_943_040
