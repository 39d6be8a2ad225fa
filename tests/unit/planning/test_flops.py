"""FLOPs per token: against the textbook formula, and in the proportions that make sense."""

import json
from pathlib import Path

import pytest

from trivium.planning.architecture import read_architecture
from trivium.planning.flops import flops_per_token
from trivium.planning.parameters import count_parameters

LLAMA_8B = json.loads((Path(__file__).parent / "configs" / "llama-3-8b.json").read_text())
MIXTRAL = {**LLAMA_8B, "model_type": "mixtral", "num_local_experts": 8, "num_experts_per_tok": 2, "vocab_size": 32000}


def _flops(config=LLAMA_8B, **changes):
    architecture = read_architecture(config)
    arguments = {"length": 4096, "trainable_adapter": 0, "checkpointing": False, "live_reference": False, **changes}
    return flops_per_token(architecture, count_parameters(architecture), **arguments)


def test_full_training_is_six_per_weight_and_twelve_per_layer_width_and_position():
    # All weights but the input embedding, whose rows are only looked up: 8,030,261,248 - 128,256 · 4,096.
    weights = 8_030_261_248 - 128_256 * 4096
    assert _flops().model == 6 * weights + 12 * 32 * 4096 * 4096
    assert _flops().recomputed == 0


def test_tied_embeddings_count_as_the_output_head_that_they_are():
    assert _flops({**LLAMA_8B, "tie_word_embeddings": True}).model == _flops().model


def test_a_token_passes_only_its_experts():
    # Dense layers of Mixtral: attention 2·(4096·4096 + 4096·1024), two experts of 3·4096·14336, norms, router, head.
    layer = 2 * 4096 * (4096 + 1024) + 2 * 3 * 4096 * 14336 + 2 * 4096 + 8 * 4096
    weights = 32 * layer + 4096 + 32000 * 4096
    assert _flops(MIXTRAL).model == 6 * weights + 12 * 32 * 4096 * 4096


def test_frozen_weights_save_their_own_gradients_and_nothing_else():
    full, adapter = _flops().model, _flops(trainable_adapter=1_000_000).model
    weights = 8_030_261_248 - 128_256 * 4096
    assert adapter == full - 2 * weights + 6 * 1_000_000


def test_checkpointing_computes_the_layers_forward_once_more_but_not_the_head():
    head = 2 * 128_256 * 4096
    forward = _flops().model / 3
    assert _flops(checkpointing=True).recomputed == pytest.approx(forward - head)
    assert _flops(checkpointing=True).model == _flops().model


def test_a_live_reference_is_one_forward_pass_more():
    assert _flops(live_reference=True).model == pytest.approx(_flops().model * 4 / 3)


@pytest.mark.parametrize(
    ("layer_types", "sliding"),
    [(None, 32), (["sliding_attention"] * 16 + ["full_attention"] * 16, 16), (["full_attention"] * 32, 0)],
)
def test_a_sliding_window_bounds_what_its_layers_look_at(layer_types, sliding):
    windowed = {**LLAMA_8B, "sliding_window": 1024, "layer_types": layer_types}
    saved = 12 * 4096 * sliding * (4096 - 1024)
    assert _flops(windowed).model == _flops().model - saved
    assert _flops({**windowed, "use_sliding_window": False}).model == _flops().model
    assert _flops(windowed, length=512).model == _flops(length=512).model
