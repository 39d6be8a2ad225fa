"""The shape of a decoder-only transformer, read from its Hugging Face config: every weight matrix, by name and size.

Sizes come from the config's fields, never from a model's name. The family (`model_type`) only says what the fields
leave open: which projections have a bias, how many norms a layer has, whether the MLP is gated.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class UnknownShapeError(ValueError):
    """The config lacks a size that the planner needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """What a `model_type` implies beyond its config's numbers."""

    gated_mlp: bool = True
    attention_bias: bool = False
    output_bias: bool = False
    mlp_bias: bool = False
    norms_per_layer: int = 2
    norm_bias: bool = False
    query_key_norm: str = "none"
    """none | head: one norm of head size for q and k | full: over all heads at once."""
    learned_positions: bool = False
    tied_by_default: bool = False
    sdpa: bool = True
    """Whether transformers offers torch's scaled_dot_product_attention for it."""


FAMILIES: Mapping[str, Family] = {
    "llama": Family(),
    "mistral": Family(),
    "smollm3": Family(),
    "granite": Family(),
    "phi3": Family(),
    "qwen2": Family(attention_bias=True),
    "qwen3": Family(query_key_norm="head"),
    "olmo2": Family(query_key_norm="full"),
    "gemma": Family(tied_by_default=True),
    "gemma2": Family(norms_per_layer=4, tied_by_default=True, sdpa=False),
    "gemma3_text": Family(norms_per_layer=4, query_key_norm="head", tied_by_default=True),
    "gpt2": Family(
        gated_mlp=False,
        attention_bias=True,
        output_bias=True,
        mlp_bias=True,
        norm_bias=True,
        learned_positions=True,
        tied_by_default=True,
    ),
    "gpt_neox": Family(gated_mlp=False, attention_bias=True, output_bias=True, mlp_bias=True, norm_bias=True),
    "mixtral": Family(),
    "qwen3_moe": Family(query_key_norm="head"),
}
"""Families whose counts a test compares with transformers, parameter by parameter."""

# One size, the names it has had in configs.
_ALIASES: Mapping[str, tuple[str, ...]] = {
    "hidden_size": ("hidden_size", "n_embd", "d_model"),
    "num_layers": ("num_hidden_layers", "n_layer", "num_layers"),
    "num_heads": ("num_attention_heads", "n_head"),
    "vocab_size": ("vocab_size",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear:
    """One kind of weight matrix: `count` of them in the whole model, each [outputs, inputs] with an optional bias."""

    name: str
    inputs: int
    outputs: int
    count: int
    bias: bool = False

    @property
    def parameters(self) -> int:
        return self.count * (self.inputs * self.outputs + (self.outputs if self.bias else 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """Sizes of a decoder-only transformer. All in elements."""

    model_type: str
    known_family: bool
    hidden_size: int
    num_layers: int
    num_heads: int
    num_key_value_heads: int
    head_dim: int
    intermediate_size: int
    vocab_size: int
    tied_embeddings: bool
    positions: int
    """Rows of a learned position table; 0 for rotary models."""
    experts: int
    """0: dense."""
    experts_per_token: int
    family: Family
    attention_bias: bool
    output_bias: bool
    mlp_bias: bool

    @property
    def query_size(self) -> int:
        return self.num_heads * self.head_dim

    @property
    def key_value_size(self) -> int:
        return self.num_key_value_heads * self.head_dim

    @property
    def mlp_copies(self) -> int:
        """MLPs per layer: the experts, or one."""
        return max(1, self.experts)

    @property
    def active_mlp_copies(self) -> int:
        """MLPs that one token passes per layer."""
        return max(1, self.experts_per_token) if self.experts else 1

    def linears(self) -> tuple[Linear, ...]:
        """Every projection inside the layers (what LoRA calls all-linear), the experts' router left out."""
        h, n = self.hidden_size, self.num_layers
        attention = (
            Linear(name="q_proj", inputs=h, outputs=self.query_size, count=n, bias=self.attention_bias),
            Linear(name="k_proj", inputs=h, outputs=self.key_value_size, count=n, bias=self.attention_bias),
            Linear(name="v_proj", inputs=h, outputs=self.key_value_size, count=n, bias=self.attention_bias),
            Linear(name="o_proj", inputs=self.query_size, outputs=h, count=n, bias=self.output_bias),
        )
        i, copies = self.intermediate_size, n * self.mlp_copies
        up = Linear(name="up_proj", inputs=h, outputs=i, count=copies, bias=self.mlp_bias)
        down = Linear(name="down_proj", inputs=i, outputs=h, count=copies, bias=self.mlp_bias)
        if not self.family.gated_mlp:
            return (*attention, up, down)
        gate = Linear(name="gate_proj", inputs=h, outputs=i, count=copies, bias=self.mlp_bias)
        return (*attention, gate, up, down)


def read_architecture(config: Mapping[str, Any]) -> Architecture:
    """The sizes in a config.json.

    Raises UnknownShapeError naming the missing field. A family outside FAMILIES is read like Llama: its matrices are
    then an approximation, which `known_family` says.
    """
    model_type = str(config.get("model_type", ""))
    family = FAMILIES.get(model_type, Family())
    hidden, heads = _size(config, "hidden_size"), _size(config, "num_heads")
    experts = int(config.get("num_local_experts") or config.get("num_experts") or 0)
    return Architecture(
        model_type=model_type,
        known_family=model_type in FAMILIES,
        hidden_size=hidden,
        num_layers=_size(config, "num_layers"),
        num_heads=heads,
        num_key_value_heads=int(config.get("num_key_value_heads") or heads),
        head_dim=int(config.get("head_dim") or hidden // heads),
        intermediate_size=_intermediate_size(config, hidden=hidden, experts=experts),
        vocab_size=_size(config, "vocab_size"),
        tied_embeddings=bool(config.get("tie_word_embeddings", family.tied_by_default)),
        positions=int(config.get("n_positions") or 0) if family.learned_positions else 0,
        experts=experts,
        experts_per_token=int(config.get("num_experts_per_tok") or 2) if experts else 0,
        family=family,
        attention_bias=bool(config.get("attention_bias", family.attention_bias)) or family.attention_bias,
        output_bias=_output_bias(config, model_type=model_type, family=family),
        mlp_bias=bool(config.get("mlp_bias", family.mlp_bias)),
    )


def _output_bias(config: Mapping[str, Any], *, model_type: str, family: Family) -> bool:
    # Qwen2 never has a bias on o_proj; the others use one switch for all four attention projections.
    return family.output_bias if model_type == "qwen2" else bool(config.get("attention_bias", family.output_bias))


def _intermediate_size(config: Mapping[str, Any], *, hidden: int, experts: int) -> int:
    names = ("moe_intermediate_size", "intermediate_size") if experts else ("intermediate_size", "n_inner")
    for name in names:
        if config.get(name):
            return int(config[name])
    # GPT-2 leaves n_inner out when it is four times the hidden size.
    return 4 * hidden


def _size(config: Mapping[str, Any], size: str) -> int:
    for name in _ALIASES[size]:
        if config.get(name):
            return int(config[name])
    raise UnknownShapeError(
        f"the config of a {config.get('model_type', 'nameless')} model has none of {', '.join(_ALIASES[size])}"
    )
