"""The counts of every family as numbers, so that a changed constant is noticed in milliseconds.

Each total was compared with transformers when the row was written, by the same models as in
test_parameters_against_transformers.py, which compares all of them again (slowly).
"""

import pytest

from trivium.planning.architecture import read_architecture
from trivium.planning.families import FAMILIES
from trivium.planning.parameters import count_adapter, count_parameters

SHAPE = {
    "hidden_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "intermediate_size": 80,
    "vocab_size": 131,
}
SHAPES = {
    "gpt2": {"n_embd": 48, "n_layer": 3, "n_head": 6, "vocab_size": 131, "n_positions": 64},
    "gpt_neox": {key: value for key, value in SHAPE.items() if key != "num_key_value_heads"},
    "mixtral": {**SHAPE, "num_local_experts": 4},
    "granitemoe": {**SHAPE, "num_local_experts": 4},
    "olmoe": {**SHAPE, "num_experts": 4, "num_experts_per_tok": 2},
    "qwen3_moe": {**SHAPE, "num_experts": 4, "moe_intermediate_size": 32, "num_experts_per_tok": 2},
    "qwen2_moe": {
        **SHAPE,
        "num_experts": 4,
        "moe_intermediate_size": 32,
        "num_experts_per_tok": 2,
        "shared_expert_intermediate_size": 56,
    },
}
# (family, what the config says besides, (total, embedding, active, largest layer, all-linear adapter of rank 4))
ROWS = [
    ("cohere", {}, (59472, 6288, 53184, 17712, 8448)),
    ("exaone4", {}, (65952, 12576, 53376, 17776, 8448)),
    ("gemma", {}, (59616, 6288, 53328, 17760, 8448)),
    ("gemma2", {}, (59904, 6288, 53616, 17856, 8448)),
    ("gemma3_text", {}, (59952, 6288, 53664, 17872, 8448)),
    ("glm4", {}, (66432, 12576, 53856, 17936, 7872)),
    ("gpt2", {}, (94272, 9360, 84912, 28272, 9216)),
    ("gpt_neox", {}, (64896, 12576, 52320, 17408, 6528)),
    ("granite", {}, (65904, 12576, 53328, 17760, 8448)),
    ("granitemoe", {}, (170160, 12576, 88464, 52512, 3840)),
    ("helium", {}, (65904, 12576, 53328, 17760, 8448)),
    ("llama", {}, (65904, 12576, 53328, 17760, 8448)),
    ("ministral", {}, (65904, 12576, 53328, 17760, 8448)),
    ("mistral", {}, (65904, 12576, 53328, 17760, 8448)),
    ("mixtral", {}, (170160, 12576, 88464, 52512, 3840)),
    ("olmo", {}, (65568, 12576, 52992, 17664, 8448)),
    ("olmo2", {}, (66096, 12576, 53520, 17824, 8448)),
    ("olmo3", {}, (66096, 12576, 53520, 17824, 8448)),
    ("olmoe", {}, (170352, 12576, 88656, 52576, 3840)),
    ("phi", {}, (55331, 12707, 42624, 14176, 6912)),
    ("phi3", {}, (65904, 12576, 53328, 17760, 6720)),
    ("qwen2", {}, (66144, 12576, 53568, 17840, 8448)),
    ("qwen2_moe", {}, (111792, 12576, 71568, 33056, 7584)),
    ("qwen3", {}, (65952, 12576, 53376, 17776, 8448)),
    ("qwen3_moe", {}, (87264, 12576, 47040, 24880, 3840)),
    ("seed_oss", {}, (66144, 12576, 53568, 17840, 8448)),
    ("smollm3", {}, (59616, 6288, 53328, 17760, 8448)),
    ("stablelm", {}, (66240, 12576, 53664, 17856, 8448)),
    ("starcoder2", {}, (49200, 6288, 42912, 14272, 6912)),
    ("llama", {"attention_bias": True}, (66288, 12576, 53712, 17888, 8448)),
    ("llama", {"mlp_bias": True}, (66528, 12576, 53952, 17968, 8448)),
    ("qwen3", {"attention_bias": True}, (66336, 12576, 53760, 17904, 8448)),
    ("granite", {"attention_bias": True, "mlp_bias": True}, (66912, 12576, 54336, 18096, 8448)),
    ("granitemoe", {"attention_bias": True}, (170544, 12576, 88848, 52640, 3840)),
    ("seed_oss", {"attention_bias": False, "attention_out_bias": True}, (66048, 12576, 53472, 17808, 8448)),
    ("cohere", {"use_qk_norm": True, "attention_bias": True}, (60048, 6288, 53760, 17904, 8448)),
    ("stablelm", {"use_parallel_residual": True, "use_qkv_bias": True}, (66192, 12576, 53616, 17840, 8448)),
    ("starcoder2", {"use_bias": False}, (48432, 6288, 42144, 14016, 6912)),
    ("qwen2_moe", {"qkv_bias": False}, (111552, 12576, 71328, 32976, 7584)),
    ("qwen2_moe", {"decoder_sparse_step": 2}, (81360, 12576, 59568, 33056, 8160)),
    ("qwen3_moe", {"mlp_only_layers": [0, 2]}, (73056, 12576, 51264, 24880, 6912)),
    ("llama", {"vocab_size": 199}, (72432, 19104, 53328, 17760, 8448)),
    ("gemma", {"vocab_size": 199}, (62880, 9552, 53328, 17760, 8448)),
]


@pytest.mark.parametrize(("family", "fields", "want"), ROWS, ids=[f"{row[0]} {row[1] or ''}" for row in ROWS])
def test_a_familys_counts_are_those_that_were_compared(family, fields, want):
    architecture = read_architecture({"model_type": family, **SHAPES.get(family, SHAPE), **fields})
    count = count_parameters(architecture)
    adapter = count_adapter(architecture, rank=4, target_modules="all-linear")
    assert (count.total, count.embedding, count.active, count.largest_layer, adapter) == want
    assert architecture.known_family


def test_every_family_has_its_row():
    assert {row[0] for row in ROWS} == set(FAMILIES)


def test_an_unknown_family_is_read_like_llama_and_says_so():
    unknown = read_architecture({"model_type": "somebodys_own", **SHAPE})
    assert not unknown.known_family
    assert count_parameters(unknown) == count_parameters(read_architecture({"model_type": "llama", **SHAPE}))
