"""Odd configs: what is no plain transformer is refused by name, and sizes are found under every name they have had."""

import pytest

from trivium.planning.architecture import Linear, UnknownShapeError, read_architecture

PLAIN = {
    "model_type": "llama", "hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4,
    "intermediate_size": 96, "vocab_size": 100,
}  # fmt: skip
MIXTURE = PLAIN | {"model_type": "qwen2_moe", "num_experts": 8, "moe_intermediate_size": 32}


def without(*names, **more):
    return {name: value for name, value in PLAIN.items() if name not in names} | more


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (PLAIN | {"text_config": {}}, "a llama model has parts for images or sound, which are not planned"),
        (PLAIN | {"vision_config": {}}, "a llama model has parts for images or sound, which are not planned"),
        (PLAIN | {"kv_lora_rank": 1}, "a llama model has multi-head latent attention, which is not planned"),
        (
            PLAIN | {"layer_types": ["full_attention", "mamba", "conv"]},
            "a llama model has conv, mamba, which are not planned",
        ),
        *(
            (PLAIN | {field: 1}, "a llama model has state-space layers, which are not planned")
            for field in ("state_size", "mamba_d_state", "ssm_cfg", "linear_num_key_heads")
        ),
        (PLAIN | {"qk_layernorm": True}, "a llama model with qk_layernorm has norms that are not planned"),
        (without("model_type", state_size=1), "a nameless model has state-space layers, which are not planned"),
        (
            without("hidden_size"),
            "the config of a llama model has none of hidden_size, n_embd, d_model",
        ),
        (
            without("num_hidden_layers", "model_type"),
            "the config of a nameless model has none of num_hidden_layers, n_layer, num_layers",
        ),
    ],
)
def test_what_cannot_be_counted_is_refused_by_name(config, message):
    with pytest.raises(UnknownShapeError) as refused:
        read_architecture(config)
    assert str(refused.value) == message


def test_a_config_without_a_name_is_of_no_known_family():
    read = read_architecture(without("model_type"))
    assert (read.model_type, read.known_family) == ("", False)


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ({"intermediate_size": 96, "n_inner": 7}, 96),
        ({"n_inner": 128}, 128),
        ({"n_inner": None}, 256),  # GPT-2's default: four times the hidden size
        ({"moe_intermediate_size": 32}, 256),  # of no meaning in a dense model
    ],
)
def test_the_inner_size_is_found_under_either_name(fields, size):
    assert read_architecture(without("intermediate_size", **fields)).intermediate_size == size


@pytest.mark.parametrize(
    ("fields", "want"),
    [
        ({}, (None, 0)),
        ({"sliding_window": 8}, (8, 4)),
        ({"sliding_window": 8, "use_sliding_window": False}, (None, 0)),
        ({"sliding_window": 8, "layer_types": ["full_attention", "sliding_attention"] * 2}, (8, 2)),
        ({"sliding_window": 8, "layer_types": ["full_attention"] * 4}, (None, 0)),
        ({"layer_types": ["sliding_attention"] * 4}, (None, 0)),
    ],
)
def test_a_window_is_of_the_layers_that_have_it(fields, want):
    read = read_architecture(PLAIN | fields)
    assert (read.sliding_window, read.sliding_layers) == want


def test_a_dense_model_has_no_sizes_of_a_mixture():
    read = read_architecture(PLAIN | {"num_experts_per_tok": 2, "shared_expert_intermediate_size": 16})
    assert (read.experts, read.experts_per_token, read.mixture_layers, read.dense_intermediate_size) == (0, 0, 0, 0)
    assert read.shared_intermediate_size == 0
    assert read.active_mlp_copies == 1


@pytest.mark.parametrize(
    ("fields", "want"),
    [
        # (layers with experts, inner size of the dense ones, of the shared expert, experts a token passes)
        ({}, (4, 0, 0, 2)),
        ({"num_experts_per_tok": 3}, (4, 0, 0, 3)),
        ({"shared_expert_intermediate_size": 48}, (4, 0, 48, 2)),
        ({"mlp_only_layers": [0]}, (3, 96, 0, 2)),
        ({"decoder_sparse_step": 2}, (2, 96, 0, 2)),
        ({"decoder_sparse_step": 3}, (1, 96, 0, 2)),
        ({"decoder_sparse_step": 3, "mlp_only_layers": [1]}, (1, 96, 0, 2)),
        ({"decoder_sparse_step": 3, "mlp_only_layers": [2]}, (0, 96, 0, 2)),
        ({"mlp_only_layers": [0], "intermediate_size": None}, (3, 0, 0, 2)),
    ],
)
def test_a_mixture_says_which_layers_have_experts(fields, want):
    read = read_architecture(MIXTURE | fields)
    sizes = (read.mixture_layers, read.dense_intermediate_size, read.shared_intermediate_size, read.experts_per_token)
    assert sizes == want


def test_every_projection_has_its_name_size_and_number():
    read = read_architecture(PLAIN | {"num_key_value_heads": 2, "mlp_bias": True})
    assert read.linears() == (
        Linear(name="q_proj", inputs=64, outputs=64, count=4),
        Linear(name="k_proj", inputs=64, outputs=32, count=4),
        Linear(name="v_proj", inputs=64, outputs=32, count=4),
        Linear(name="o_proj", inputs=64, outputs=64, count=4),
        Linear(name="gate_proj", inputs=64, outputs=96, count=4, bias=True),
        Linear(name="up_proj", inputs=64, outputs=96, count=4, bias=True),
        Linear(name="down_proj", inputs=96, outputs=64, count=4, bias=True),
    )


def test_only_the_experts_of_a_mixture_are_routed():
    read = read_architecture(MIXTURE | {"mlp_only_layers": [0], "shared_expert_intermediate_size": 48})
    mlps = {(one.inputs, one.count, one.routed) for one in read.linears() if one.name == "down_proj"}
    assert mlps == {(96, 1, False), (48, 3, False), (32, 24, True)}


def test_positions_are_learned_only_where_the_family_learns_them():
    assert read_architecture(PLAIN | {"n_positions": 512}).positions == 0
    assert read_architecture(PLAIN | {"model_type": "gpt2", "n_positions": 512}).positions == 512
    assert read_architecture(PLAIN | {"model_type": "gpt2"}).positions == 0
