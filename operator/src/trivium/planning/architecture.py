"""The shape of a decoder-only transformer, read from its Hugging Face config: every weight matrix, by name and size.

Sizes come from the config's fields, never from a model's name. The family (`model_type`, families.py) only says what
the fields leave open: which projections have a bias, how many norms a layer has, whether the MLP is gated.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trivium.planning.families import FAMILIES, Family


class UnknownShapeError(ValueError):
    """The config lacks a size that the planner needs, or describes something else than such a transformer."""


# One size, the names it has had in configs.
_ALIASES: Mapping[str, tuple[str, ...]] = {
    "hidden_size": ("hidden_size", "n_embd", "d_model"),
    "num_layers": ("num_hidden_layers", "n_layer", "num_layers"),
    "num_heads": ("num_attention_heads", "n_head"),
    "vocab_size": ("vocab_size",),
}
_ATTENTION_LAYERS = frozenset({"full_attention", "sliding_attention", "chunked_attention"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear:
    """One kind of weight matrix: `count` of them in the whole model, each [outputs, inputs] with an optional bias."""

    name: str
    inputs: int
    outputs: int
    count: int
    bias: bool = False
    routed: bool = False
    """One of a mixture's experts: only some of the copies see a token, and no adapter reaches them."""

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
    """Of the MLP; in a mixture, of one expert."""
    vocab_size: int
    tied_embeddings: bool
    positions: int
    """Rows of a learned position table; 0 for rotary models."""
    experts: int
    """0: dense."""
    experts_per_token: int
    mixture_layers: int
    """Layers whose MLP is a mixture of experts; the others are dense."""
    dense_intermediate_size: int
    """Of the MLPs in a mixture's dense layers."""
    shared_intermediate_size: int
    """Of the expert that every token passes beside the routed ones; 0: there is none."""
    sliding_window: int | None
    """Tokens that a layer with a sliding window looks back."""
    sliding_layers: int
    family: Family
    attention_bias: bool
    output_bias: bool
    mlp_bias: bool
    norms_per_layer: int
    query_key_norm: str

    @property
    def query_size(self) -> int:
        return self.num_heads * self.head_dim

    @property
    def key_value_size(self) -> int:
        return self.num_key_value_heads * self.head_dim

    @property
    def active_mlp_copies(self) -> int:
        """MLPs that one token passes per layer, a shared expert not counted."""
        return max(1, self.experts_per_token) if self.experts else 1

    def linears(self) -> tuple[Linear, ...]:
        """Every projection inside the layers (what LoRA calls all-linear), routers and their gates left out."""
        h, n, mixtures = self.hidden_size, self.num_layers, self.mixture_layers
        attention = (
            Linear(name="q_proj", inputs=h, outputs=self.query_size, count=n, bias=self.attention_bias),
            Linear(name="k_proj", inputs=h, outputs=self.key_value_size, count=n, bias=self.attention_bias),
            Linear(name="v_proj", inputs=h, outputs=self.key_value_size, count=n, bias=self.attention_bias),
            Linear(name="o_proj", inputs=self.query_size, outputs=h, count=n, bias=self.output_bias),
        )
        dense_size = self.dense_intermediate_size if self.experts else self.intermediate_size
        return (
            *attention,
            *self._mlp(dense_size, count=n - mixtures),
            *self._mlp(self.shared_intermediate_size, count=mixtures if self.shared_intermediate_size else 0),
            *self._mlp(self.intermediate_size, count=mixtures * self.experts, routed=True),
        )

    def _mlp(self, size: int, *, count: int, routed: bool = False) -> tuple[Linear, ...]:
        if count == 0:
            return ()
        h, bias = self.hidden_size, self.mlp_bias
        up = Linear(name="up_proj", inputs=h, outputs=size, count=count, bias=bias, routed=routed)
        down = Linear(name="down_proj", inputs=size, outputs=h, count=count, bias=bias, routed=routed)
        if not self.family.gated_mlp:
            return (up, down)
        return (Linear(name="gate_proj", inputs=h, outputs=size, count=count, bias=bias, routed=routed), up, down)


def read_architecture(config: Mapping[str, Any]) -> Architecture:
    """The sizes in a config.json.

    Raises UnknownShapeError naming what is missing or what is no such transformer. A family outside FAMILIES is read
    like Llama: its matrices are then an approximation, which `known_family` says.
    """
    model_type = str(config.get("model_type", ""))
    refuse_other_shapes(config)
    family = FAMILIES.get(model_type, Family())
    hidden, heads, layers = _size(config, "hidden_size"), _size(config, "num_heads"), _size(config, "num_layers")
    experts = int(config.get("num_local_experts") or config.get("num_experts") or 0)
    mixtures = _mixture_layers(config, layers=layers) if experts else 0
    attention_bias = _switch(config, family.attention_bias_field, default=family.attention_bias)
    window, sliding = _sliding(config, layers=layers)
    return Architecture(
        model_type=model_type,
        known_family=model_type in FAMILIES,
        hidden_size=hidden,
        num_layers=layers,
        num_heads=heads,
        num_key_value_heads=int(config.get("num_key_value_heads") or heads),
        head_dim=int(config.get("head_dim") or hidden // heads),
        intermediate_size=_intermediate_size(config, hidden=hidden, experts=experts),
        vocab_size=_size(config, "vocab_size"),
        tied_embeddings=_switch(config, "tie_word_embeddings", default=family.tied_by_default),
        positions=int(config.get("n_positions") or 0) if family.learned_positions else 0,
        experts=experts,
        experts_per_token=int(config.get("num_experts_per_tok") or 2) if experts else 0,
        mixture_layers=mixtures,
        dense_intermediate_size=int(config.get("intermediate_size") or 0) if layers > mixtures and experts else 0,
        shared_intermediate_size=int(config.get("shared_expert_intermediate_size") or 0) if experts else 0,
        sliding_window=window,
        sliding_layers=sliding,
        family=family,
        attention_bias=attention_bias,
        output_bias=_output_bias(config, family=family, attention_bias=attention_bias),
        mlp_bias=_switch(config, family.mlp_bias_field, default=family.mlp_bias),
        norms_per_layer=_norms_per_layer(config, family=family),
        query_key_norm=_query_key_norm(config, family=family),
    )


def refuse_other_shapes(config: Mapping[str, Any]) -> None:
    """Raises UnknownShapeError for what would be counted wrongly as a plain transformer."""
    model_type = config.get("model_type", "nameless")
    if "text_config" in config or "vision_config" in config:
        raise UnknownShapeError(f"a {model_type} model has parts for images or sound, which are not planned")
    if config.get("kv_lora_rank"):
        raise UnknownShapeError(f"a {model_type} model has multi-head latent attention, which is not planned")
    other = sorted(set(config.get("layer_types") or ()) - _ATTENTION_LAYERS)
    if other or any(config.get(field) for field in ("state_size", "mamba_d_state", "ssm_cfg", "linear_num_key_heads")):
        what = ", ".join(other) or "state-space layers"
        raise UnknownShapeError(f"a {model_type} model has {what}, which are not planned")
    if config.get("qk_layernorm"):
        raise UnknownShapeError(f"a {model_type} model with qk_layernorm has norms that are not planned")


def _switch(config: Mapping[str, Any], field: str, *, default: bool) -> bool:
    value = config.get(field)
    return default if value is None else bool(value)


def _output_bias(config: Mapping[str, Any], *, family: Family, attention_bias: bool) -> bool:
    if config.get("attention_out_bias") is not None:
        return bool(config["attention_out_bias"])
    return attention_bias if family.output_bias is None else family.output_bias


def _norms_per_layer(config: Mapping[str, Any], *, family: Family) -> int:
    parallel = family.parallel_field is not None and bool(config.get(family.parallel_field))
    return 1 if parallel else family.norms_per_layer


def _query_key_norm(config: Mapping[str, Any], *, family: Family) -> str:
    switch = family.query_key_norm_field
    return family.query_key_norm if switch is None or config.get(switch) else "none"


def _mixture_layers(config: Mapping[str, Any], *, layers: int) -> int:
    """Layers with experts: every `decoder_sparse_step`-th, without those listed in `mlp_only_layers`."""
    step, dense = int(config.get("decoder_sparse_step") or 1), set(config.get("mlp_only_layers") or ())
    return sum(layer not in dense and (layer + 1) % step == 0 for layer in range(layers))


def _sliding(config: Mapping[str, Any], *, layers: int) -> tuple[int | None, int]:
    """(window, layers that have it). Only what `layer_types` or a window for every layer says; else none."""
    window = config.get("sliding_window")
    types: Sequence[str] = config.get("layer_types") or ()
    if not window or config.get("use_sliding_window") is False:
        return None, 0
    count = sum(kind != "full_attention" for kind in types) if types else layers
    return (int(window), count) if count else (None, 0)


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
