"""How many parameters a model has, and how many of them train. Counted from the architecture, never from a name."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from trivium.planning.architecture import Architecture, Linear


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
    """One decoder layer: what ZeRO-3 gathers at a time. In a mixture, the experts are gathered with their layer."""


def count_parameters(architecture: Architecture) -> ParameterCount:
    """Every weight of the model, as `sum(p.numel() for p in model.parameters())` counts it."""
    a = architecture
    embedding = a.vocab_size * a.hidden_size * (1 if a.tied_embeddings else 2) + a.positions * a.hidden_size
    embedding += a.vocab_size if a.family.head_bias else 0
    linears = a.linears()
    linear = sum(module.parameters for module in linears)
    routed = sum(module.parameters for module in linears if module.routed)
    router = a.mixture_layers * _router(a)
    final_norm = a.hidden_size * a.family.final_norms * (2 if a.family.norm_bias else 1)
    norms = a.num_layers * _norms_of_a_layer(a) + final_norm
    total = embedding + linear + router + norms
    active = total - embedding - routed + (routed * a.experts_per_token // a.experts if a.experts else 0)
    return ParameterCount(total=total, embedding=embedding, active=active, largest_layer=_largest_layer(a))


def _router(a: Architecture) -> int:
    """The matrix that chooses experts, and the gate of the shared one."""
    return a.hidden_size * (a.experts + (1 if a.shared_intermediate_size else 0))


def _largest_layer(a: Architecture) -> int:
    """A layer with experts where there is one; all layers of one kind are alike."""
    names = ("q_proj", "k_proj", "v_proj", "o_proj")
    attention = sum(module.parameters for module in a.linears() if module.name in names) // a.num_layers
    mlp = _mlp(a, a.intermediate_size)
    if a.mixture_layers:
        shared = _mlp(a, a.shared_intermediate_size) if a.shared_intermediate_size else 0
        mlp = a.experts * mlp + shared + _router(a)
    return attention + mlp + _norms_of_a_layer(a)


def _mlp(a: Architecture, size: int) -> int:
    """One MLP of this inner size."""
    up, biases = (2, 2) if a.family.gated_mlp else (1, 1)
    return (up + 1) * a.hidden_size * size + (biases * size + a.hidden_size if a.mlp_bias else 0)


def _norms_of_a_layer(a: Architecture) -> int:
    width = {"none": 0, "head": 2 * a.head_dim, "full": a.query_size + a.key_value_size}[a.query_key_norm]
    return a.norms_per_layer * a.hidden_size * (2 if a.family.norm_bias else 1) + width


def count_adapter(
    architecture: Architecture, *, rank: int, target_modules: Literal["all-linear"] | Sequence[str]
) -> int:
    """Trainable parameters of a LoRA adapter: rank · (inputs + outputs) for each adapted matrix.

    Neither the router nor the experts of a mixture are adapted. Raises ValueError when a named module is none of the
    model's projections.
    """
    modules = adaptable(architecture)
    if target_modules != "all-linear":
        unknown = sorted(set(target_modules) - {module.name for module in modules})
        if unknown:
            have = ", ".join(dict.fromkeys(module.name for module in modules))
            raise ValueError(
                f"{', '.join(unknown)} is no projection of a {architecture.model_type} model that an adapter can reach;"
                f" these are {have}"
            )
        modules = tuple(module for module in modules if module.name in target_modules)
    return sum(module.count * rank * (module.inputs + module.outputs) for module in modules)


def adaptable(architecture: Architecture) -> tuple[Linear, ...]:
    """The matrices that LoRA can adapt, under the names that the family's modules have."""
    family, reachable = architecture.family, [m for m in architecture.linears() if not m.routed]
    fused = [_fuse(name, [m for m in reachable if m.name in parts]) for name, parts in family.fused]
    gone = {part for _, parts in family.fused for part in parts}
    names = dict(family.names)
    rest = (_renamed(module, names) for module in reachable if module.name not in gone)
    return (*fused, *rest)


def _fuse(name: str, members: Sequence[Linear]) -> Linear:
    outputs = sum(member.outputs for member in members)
    return Linear(name=name, inputs=members[0].inputs, outputs=outputs, count=members[0].count)


def _renamed(module: Linear, names: dict[str, str]) -> Linear:
    name = names.get(module.name, module.name)
    return Linear(name=name, inputs=module.inputs, outputs=module.outputs, count=module.count)
