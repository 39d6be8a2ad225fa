"""Our counts equal those of transformers and PEFT, family by family, on tiny and odd sizes (nothing is downloaded).

Left out on purpose: families outside architecture.FAMILIES, which are read like Llama and say so (`known_family`).
"""

import pytest

from trivium.planning.architecture import FAMILIES, read_architecture
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
ODD = {
    "gpt2": {"n_embd": 48, "n_layer": 3, "n_head": 6, "vocab_size": 131, "n_positions": 64},
    "gpt_neox": {k: v for k, v in TINY.items() if k not in {"num_key_value_heads", "head_dim"}},
    "mixtral": {**TINY, "num_local_experts": 4},
    "qwen3_moe": {**TINY, "num_experts": 4, "moe_intermediate_size": 32, "num_experts_per_tok": 2},
}


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


@pytest.mark.parametrize("model_type", ["llama", "qwen3"])
def test_an_attention_bias_is_counted(model_type):
    config, model = _model(model_type, attention_bias=True)
    assert count_parameters(read_architecture(config.to_dict())).total == sum(p.numel() for p in model.parameters())


DENSE = sorted(set(FAMILIES) - {"mixtral", "qwen3_moe"})


@pytest.mark.parametrize("model_type", DENSE)
def test_an_all_linear_adapter_equals_peft(model_type):
    from peft import LoraConfig, get_peft_model

    config, model = _model(model_type)
    adapted = get_peft_model(model, LoraConfig(r=4, target_modules="all-linear", fan_in_fan_out=model_type == "gpt2"))
    want = sum(p.numel() for p in adapted.parameters() if p.requires_grad)
    assert count_adapter(read_architecture(config.to_dict()), rank=4, target_modules="all-linear") == want


@pytest.mark.parametrize(
    ("model_type", "modules"), [("llama", ["q_proj", "v_proj"]), ("gpt2", ["c_attn"]), ("phi3", ["qkv_proj"])]
)
def test_an_adapter_on_named_modules_equals_peft(model_type, modules):
    from peft import LoraConfig, get_peft_model

    config, model = _model(model_type)
    adapted = get_peft_model(model, LoraConfig(r=4, target_modules=modules, fan_in_fan_out=model_type == "gpt2"))
    want = sum(p.numel() for p in adapted.parameters() if p.requires_grad)
    assert count_adapter(read_architecture(config.to_dict()), rank=4, target_modules=modules) == want
