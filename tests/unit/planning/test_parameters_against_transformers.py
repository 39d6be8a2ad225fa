"""Our counts equal those of transformers and PEFT, family by family, on tiny and odd sizes (nothing is downloaded).

Left out on purpose: families outside families.FAMILIES, which are read like Llama and say so (`known_family`).
"""

import pytest

from trivium.planning.architecture import UnknownShapeError, read_architecture
from trivium.planning.families import FAMILIES
from trivium.planning.parameters import count_adapter, count_parameters

pytestmark = [
    pytest.mark.slow,
    # PEFT 0.21 still reads the old name of activation checkpointing.
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
]

TINY = {
    "hidden_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "intermediate_size": 80,
    "vocab_size": 131,
    "pad_token_id": 0,
}
MIXTURES = {
    "mixtral": {**TINY, "num_local_experts": 4},
    "granitemoe": {k: v for k, v in TINY.items() if k != "head_dim"} | {"num_local_experts": 4},
    "olmoe": {k: v for k, v in TINY.items() if k != "head_dim"} | {"num_experts": 4, "num_experts_per_tok": 2},
    "qwen3_moe": {**TINY, "num_experts": 4, "moe_intermediate_size": 32, "num_experts_per_tok": 2},
    "qwen2_moe": {
        **TINY,
        "num_experts": 4,
        "moe_intermediate_size": 32,
        "num_experts_per_tok": 2,
        "shared_expert_intermediate_size": 56,
    },
}
NO_HEAD_DIM = ("cohere", "gpt_neox", "olmo", "olmo2", "olmo3", "phi", "phi3", "stablelm", "starcoder2")
ODD = {
    **MIXTURES,
    **{family: {k: v for k, v in TINY.items() if k != "head_dim"} for family in NO_HEAD_DIM},
    "gpt2": {"n_embd": 48, "n_layer": 3, "n_head": 6, "vocab_size": 131, "n_positions": 64},
}
ODD["gpt_neox"].pop("num_key_value_heads")


def _model(model_type, **changes):
    import torch  # here, so that collecting the fast tests costs no import of torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.for_model(model_type, **{**ODD.get(model_type, TINY), **changes})
    with torch.device("meta"):
        return config, AutoModelForCausalLM.from_config(config)


@pytest.mark.parametrize("model_type", sorted(FAMILIES))
@pytest.mark.parametrize("tied", [True, False])
def test_the_total_equals_transformers(model_type, tied):
    config, model = _model(model_type, tie_word_embeddings=tied)
    count = count_parameters(read_architecture(config.to_dict()))
    assert count.total == sum(p.numel() for p in model.parameters())
    layer = sum(p.numel() for name, p in model.named_parameters() if ".0." in name.split("experts")[0])
    assert count.largest_layer == layer


SWITCHES = [
    ("llama", {"attention_bias": True}),
    ("llama", {"mlp_bias": True}),
    ("qwen3", {"attention_bias": True}),
    ("granite", {"attention_bias": True, "mlp_bias": True}),
    ("granitemoe", {"attention_bias": True}),
    ("seed_oss", {"attention_bias": False, "attention_out_bias": True}),
    ("cohere", {"use_qk_norm": True, "attention_bias": True}),
    ("stablelm", {"use_parallel_residual": True, "use_qkv_bias": True}),
    ("starcoder2", {"use_bias": False}),
    ("qwen2_moe", {"qkv_bias": False}),
    ("qwen2_moe", {"decoder_sparse_step": 2}),
    ("qwen3_moe", {"mlp_only_layers": [0, 2]}),
    ("llama", {"vocab_size": 199}),
    ("gemma", {"vocab_size": 199}),
]


@pytest.mark.parametrize(("model_type", "switch"), SWITCHES)
def test_a_switch_of_the_config_is_counted(model_type, switch):
    config, model = _model(model_type, **switch)
    assert count_parameters(read_architecture(config.to_dict())).total == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("tied", [True, False])
def test_a_vocabulary_resized_for_new_tokens_is_counted(tied):
    config, model = _model("llama", tie_word_embeddings=tied)
    model.resize_token_embeddings(173, mean_resizing=False)
    assert config.vocab_size == 173
    assert count_parameters(read_architecture(config.to_dict())).total == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("model_type", sorted(MIXTURES))
def test_a_token_passes_its_experts_the_shared_one_and_the_rest_of_the_model(model_type):
    config, model = _model(model_type)
    per_token = config.num_experts_per_tok / 4
    embeddings = model.get_input_embeddings().weight.numel() + model.get_output_embeddings().weight.numel()
    experts = sum(p.numel() for name, p in model.named_parameters() if ".experts." in name)
    everything = sum(p.numel() for p in model.parameters())
    want = everything - embeddings - experts + experts * per_token
    assert count_parameters(read_architecture({**config.to_dict(), "tie_word_embeddings": False})).active == want


OTHER_SHAPES = ["deepseek_v2", "deepseek_v3", "mamba", "falcon_mamba", "qwen3_next", "gemma3"]


@pytest.mark.parametrize("model_type", OTHER_SHAPES)
def test_what_is_no_plain_transformer_is_refused_by_name(model_type):
    from transformers import AutoConfig

    with pytest.raises(UnknownShapeError, match=f"a {model_type} model"):
        read_architecture(AutoConfig.for_model(model_type).to_dict())


DENSE = sorted(set(FAMILIES) - set(MIXTURES))


@pytest.mark.parametrize("model_type", DENSE)
def test_an_all_linear_adapter_equals_peft(model_type):
    from peft import LoraConfig, get_peft_model

    config, model = _model(model_type)
    adapted = get_peft_model(model, LoraConfig(r=4, target_modules="all-linear", fan_in_fan_out=model_type == "gpt2"))
    want = sum(p.numel() for p in adapted.parameters() if p.requires_grad)
    assert count_adapter(read_architecture(config.to_dict()), rank=4, target_modules="all-linear") == want


ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
NAMED = [
    ("llama", ["q_proj", "v_proj"]),
    ("gpt2", ["c_attn"]),
    ("phi3", ["qkv_proj"]),
    ("phi", ["fc1", "dense"]),
    *((mixture, ATTENTION) for mixture in sorted(MIXTURES)),
    ("qwen2_moe", ["q_proj", "gate_proj", "up_proj", "down_proj"]),  # of the shared expert
]


@pytest.mark.parametrize(("model_type", "modules"), NAMED)
def test_an_adapter_on_named_modules_equals_peft(model_type, modules):
    from peft import LoraConfig, get_peft_model

    config, model = _model(model_type)
    adapted = get_peft_model(model, LoraConfig(r=4, target_modules=modules, fan_in_fan_out=model_type == "gpt2"))
    want = sum(p.numel() for p in adapted.parameters() if p.requires_grad)
    assert count_adapter(read_architecture(config.to_dict()), rank=4, target_modules=modules) == want


@pytest.mark.parametrize("tied", [True, False])
def test_an_adapter_trains_one_row_for_each_new_token(tied):
    from peft import LoraConfig, get_peft_model

    config, model = _model("llama", tie_word_embeddings=tied)
    lora = LoraConfig(r=4, target_modules=["q_proj"], trainable_token_indices=[3, 5, 8])
    adapted = get_peft_model(model, lora)
    rows = sum(p.numel() for p in adapted.parameters() if p.requires_grad) - count_adapter(
        read_architecture(config.to_dict()), rank=4, target_modules=["q_proj"]
    )
    assert rows == 3 * config.hidden_size


@pytest.mark.parametrize("model_type", sorted(MIXTURES))
@pytest.mark.parametrize("name", ["gate", "router", "shared_expert_gate", "experts"])
def test_neither_a_router_nor_its_experts_take_an_adapter(model_type, name):
    config, _ = _model(model_type)
    with pytest.raises(ValueError, match=f"{name} is no projection"):
        count_adapter(read_architecture(config.to_dict()), rank=4, target_modules=[name])
