"""The activation formula against what autograd really saves, on CPU, layer by layer.

Covered: dense families with sdpa and eager attention, float32 and bfloat16, with and without checkpointing. Left out:
flash attention (saves what sdpa saves; needs a GPU) and mixtures of experts (what a token's routing saves varies).
"""

import pytest

from trivium.planning.activations import layer_bytes_per_token
from trivium.planning.architecture import read_architecture

pytestmark = pytest.mark.slow

BATCH, LENGTH = 2, 64
LLAMA = {
    "hidden_size": 128,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "intermediate_size": 352,
    "vocab_size": 64,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
GPT2 = {"n_embd": 128, "n_head": 8, "vocab_size": 64, "bos_token_id": 1, "eos_token_id": 2}
SIZES = {"gpt2": GPT2, "qwen3": {**LLAMA, "head_dim": 16}}
DROPOUT_OFF = {"gpt2": {"resid_pdrop": 0.0, "attn_pdrop": 0.0, "embd_pdrop": 0.0}}


def _saved_bytes(model_type, *, layers, dtype, attention, checkpointing, masked=False):
    """Bytes of distinct storages that the backward of the decoder keeps, parameters left out."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    depth = {"n_layer": layers} if model_type == "gpt2" else {"num_hidden_layers": layers}
    fields = {**SIZES.get(model_type, LLAMA), **DROPOUT_OFF.get(model_type, {}), **depth}
    config = AutoConfig.for_model(model_type, use_cache=False, **fields)
    model = AutoModelForCausalLM.from_config(config, dtype=getattr(torch, dtype), attn_implementation=attention).train()
    if checkpointing:
        model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
    parameters = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    saved = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            saved[storage.data_ptr()] = (storage.nbytes(), tensor)  # kept alive: a freed address would be used again
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        ids = torch.randint(0, 64, (BATCH, LENGTH))
        mask = torch.ones((BATCH, LENGTH), dtype=torch.long)
        mask[-1, -1] = 0
        output = model.get_decoder()(ids, attention_mask=mask if masked else None)
    assert output is not None
    return sum(size for size, _ in saved.values()), config.to_dict()


def _layer_bytes(model_type, **how):
    """Bytes per token that one more layer saves: the difference of four and two layers."""
    four, config = _saved_bytes(model_type, layers=4, **how)
    two, _ = _saved_bytes(model_type, layers=2, **how)
    return (four - two) / 2 / (BATCH * LENGTH), read_architecture(config)


@pytest.mark.parametrize("model_type", ["llama", "qwen3", "qwen2", "phi3", "gpt2"])
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize(("dtype", "element_bytes"), [("float32", 4), ("bfloat16", 2)])
def test_a_layer_saves_what_the_planner_counts(model_type, attention, dtype, element_bytes):
    measured, architecture = _layer_bytes(model_type, dtype=dtype, attention=attention, checkpointing=False)
    planned = layer_bytes_per_token(architecture, element_bytes=element_bytes, max_length=LENGTH, attention=attention)
    assert 0.95 * measured <= planned <= 1.10 * measured


@pytest.mark.parametrize("model_type", ["llama", "qwen3", "qwen2", "phi3", "gpt2"])
@pytest.mark.parametrize(("dtype", "element_bytes"), [("float32", 4), ("bfloat16", 2)])
def test_a_mask_costs_every_layer_repeated_keys_and_a_copy_of_the_mask(model_type, dtype, element_bytes):
    how = {"dtype": dtype, "attention": "sdpa", "checkpointing": False}
    measured, architecture = _layer_bytes(model_type, masked=True, **how)
    planned = layer_bytes_per_token(
        architecture, element_bytes=element_bytes, max_length=LENGTH, attention="sdpa", masked=True
    )
    assert 0.95 * measured <= planned <= 1.10 * measured


@pytest.mark.parametrize(("dtype", "element_bytes"), [("float32", 4), ("bfloat16", 2)])
def test_a_checkpointed_layer_saves_its_input_alone(dtype, element_bytes):
    measured, architecture = _layer_bytes("llama", dtype=dtype, attention="sdpa", checkpointing=True)
    assert measured == architecture.hidden_size * element_bytes
