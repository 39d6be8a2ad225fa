"""How many parameters a model has, and how many of them train. Counted from the architecture, never from a name."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from trivium.planning.architecture import Architecture, Linear

# Where a family fuses projections, PEFT adapts the fused matrix: (fused name, the parts in it).
_FUSED: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "gpt2": (("c_attn", ("q_proj", "k_proj", "v_proj")), ("c_proj", ("o_proj",)), ("c_fc", ("up_proj",))),
    "gpt_neox": (("query_key_value", ("q_proj", "k_proj", "v_proj")),),
    "phi3": (("qkv_proj", ("q_proj", "k_proj", "v_proj")), ("gate_up_proj", ("gate_proj", "up_proj"))),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterCount:
    """Parameters by where they lie."""

    total: int
    embedding: int
    """Input embedding, output head if it is not tied, learned positions."""
    active: int
    """What one token passes through without the embeddings: `total - embedding` in a dense model, the routed experts'
    share in a mixture. FLOPs follow this number."""
    largest_layer: int
    """One decoder layer: what ZeRO-3 gathers at a time."""


def count_parameters(architecture: Architecture) -> ParameterCount:
    """Every weight of the model, as `sum(p.numel() for p in model.parameters())` counts it."""
    a = architecture
    embedding = a.vocab_size * a.hidden_size * (1 if a.tied_embeddings else 2) + a.positions * a.hidden_size
    linear = sum(module.parameters for module in a.linears())
    router = a.num_layers * a.experts * a.hidden_size
    norms = a.num_layers * _norms_per_layer(a) + a.hidden_size * (2 if a.family.norm_bias else 1)
    total = embedding + linear + router + norms
    mlp = sum(module.parameters for module in a.linears() if module.name in {"gate_proj", "up_proj", "down_proj"})
    active = total - embedding - mlp + mlp * a.active_mlp_copies // a.mlp_copies
    largest_layer = (linear + router) // a.num_layers + _norms_per_layer(a)
    return ParameterCount(total=total, embedding=embedding, active=active, largest_layer=largest_layer)


def _norms_per_layer(a: Architecture) -> int:
    width = {"none": 0, "head": 2 * a.head_dim, "full": a.query_size + a.key_value_size}[a.family.query_key_norm]
    return a.family.norms_per_layer * a.hidden_size * (2 if a.family.norm_bias else 1) + width


def count_adapter(
    architecture: Architecture, *, rank: int, target_modules: Literal["all-linear"] | Sequence[str]
) -> int:
    """Trainable parameters of a LoRA adapter: rank · (inputs + outputs) for each adapted matrix.

    The router of a mixture is never adapted. Raises ValueError when a named module is none of the model's projections.
    """
    modules = adaptable(architecture)
    if target_modules != "all-linear":
        unknown = sorted(set(target_modules) - {module.name for module in modules})
        if unknown:
            have = ", ".join(sorted({module.name for module in modules}))
            raise ValueError(
                f"{', '.join(unknown)} is no projection of a {architecture.model_type} model; it has {have}"
            )
        modules = tuple(module for module in modules if module.name in target_modules)
    return sum(module.count * rank * (module.inputs + module.outputs) for module in modules)


def adaptable(architecture: Architecture) -> tuple[Linear, ...]:
    """The matrices that LoRA can adapt, under the names that the family's modules have."""
    rest = {module.name: module for module in architecture.linears()}
    fused = []
    for name, parts in _FUSED.get(architecture.model_type, ()):
        members = [rest.pop(part) for part in parts]
        outputs = sum(member.outputs for member in members)
        fused.append(Linear(name=name, inputs=members[0].inputs, outputs=outputs, count=members[0].count))
    return (*fused, *(_renamed(architecture.model_type, module) for module in rest.values()))


# Projections that a family does not fuse but calls something else.
_NAMES: dict[str, dict[str, str]] = {
    "gpt2": {"down_proj": "c_proj"},
    "gpt_neox": {"o_proj": "dense", "up_proj": "dense_h_to_4h", "down_proj": "dense_4h_to_h"},
}


def _renamed(model_type: str, module: Linear) -> Linear:
    name = _NAMES.get(model_type, {}).get(module.name, module.name)
    return Linear(name=name, inputs=module.inputs, outputs=module.outputs, count=module.count)
