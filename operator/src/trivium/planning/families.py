"""What a `model_type` implies beyond its config's numbers. Read by architecture.py; a test compares each family with
transformers, parameter by parameter.

Left out on purpose: multi-head latent attention (DeepSeek V2 and V3), state-space and linear-attention hybrids, and
models with a vision tower: see architecture.refuse_other_shapes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A family's constants. A field of the config that says otherwise wins (see architecture.read_architecture)."""

    gated_mlp: bool = True
    attention_bias: bool = False
    """Of q, k and v where the config has no switch for it."""
    attention_bias_field: str = "attention_bias"
    """The config's switch."""
    output_bias: bool | None = None
    """Of the attention's output; None: as the attention's other projections."""
    mlp_bias: bool = False
    mlp_bias_field: str = "mlp_bias"
    norms_per_layer: int = 2
    final_norms: int = 1
    """0 where norms have no weights at all (OLMo)."""
    norm_bias: bool = False
    query_key_norm: Literal["none", "head", "full"] = "none"
    """head: one norm of head size each for q and k; full: over all heads at once."""
    query_key_norm_field: str | None = None
    """The config's switch: without it there is no such norm."""
    parallel_field: str | None = None
    """The config's switch for attention and MLP side by side behind one norm."""
    learned_positions: bool = False
    tied_by_default: bool = False
    head_bias: bool = False
    """Whether the output head has a bias."""
    sdpa: bool = True
    """Whether transformers offers torch's scaled_dot_product_attention for it."""
    fused: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Matrices that hold several projections: (its name, the parts in it). LoRA adapts the fused matrix."""
    names: tuple[tuple[str, str], ...] = ()
    """Projections under another name: (ours, the family's)."""


_GATE_UP = ("gate_up_proj", ("gate_proj", "up_proj"))

FAMILIES: Mapping[str, Family] = {
    "llama": Family(),
    "mistral": Family(),
    "ministral": Family(),
    "smollm3": Family(tied_by_default=True),
    "granite": Family(),
    "helium": Family(),
    "phi3": Family(fused=(("qkv_proj", ("q_proj", "k_proj", "v_proj")), _GATE_UP)),
    "phi": Family(
        gated_mlp=False,
        attention_bias=True,
        mlp_bias=True,
        norms_per_layer=1,
        norm_bias=True,
        head_bias=True,
        names=(("o_proj", "dense"), ("up_proj", "fc1"), ("down_proj", "fc2")),
    ),
    "qwen2": Family(attention_bias=True, output_bias=False),
    "qwen3": Family(query_key_norm="head"),
    "seed_oss": Family(attention_bias=True, output_bias=False),
    "glm4": Family(attention_bias=True, output_bias=False, norms_per_layer=4, fused=(_GATE_UP,)),
    "exaone4": Family(query_key_norm="head"),
    "olmo": Family(norms_per_layer=0, final_norms=0),
    "olmo2": Family(query_key_norm="full"),
    "olmo3": Family(query_key_norm="full"),
    "gemma": Family(tied_by_default=True),
    "gemma2": Family(norms_per_layer=4, tied_by_default=True, sdpa=False),
    "gemma3_text": Family(norms_per_layer=4, query_key_norm="head", tied_by_default=True),
    "cohere": Family(
        norms_per_layer=1, query_key_norm="full", query_key_norm_field="use_qk_norm", tied_by_default=True
    ),
    "stablelm": Family(
        attention_bias_field="use_qkv_bias",
        output_bias=False,
        norm_bias=True,
        parallel_field="use_parallel_residual",
    ),
    "starcoder2": Family(
        gated_mlp=False,
        attention_bias=True,
        attention_bias_field="use_bias",
        mlp_bias=True,
        mlp_bias_field="use_bias",
        norm_bias=True,
        tied_by_default=True,
        names=(("up_proj", "c_fc"), ("down_proj", "c_proj")),
    ),
    "gpt2": Family(
        gated_mlp=False,
        attention_bias=True,
        mlp_bias=True,
        norm_bias=True,
        learned_positions=True,
        tied_by_default=True,
        fused=(("c_attn", ("q_proj", "k_proj", "v_proj")),),
        names=(("o_proj", "c_proj"), ("up_proj", "c_fc"), ("down_proj", "c_proj")),
    ),
    "gpt_neox": Family(
        gated_mlp=False,
        attention_bias=True,
        mlp_bias=True,
        norm_bias=True,
        fused=(("query_key_value", ("q_proj", "k_proj", "v_proj")),),
        names=(("o_proj", "dense"), ("up_proj", "dense_h_to_4h"), ("down_proj", "dense_4h_to_h")),
    ),
    # Mixtures of experts. Their experts are fused parameters, not modules: no adapter reaches them.
    "mixtral": Family(),
    "qwen2_moe": Family(attention_bias=True, attention_bias_field="qkv_bias", output_bias=False),
    "qwen3_moe": Family(query_key_norm="head"),
    "olmoe": Family(query_key_norm="full"),
    "granitemoe": Family(),
}
"""Families whose counts a test compares with transformers, parameter by parameter."""
