"""How a PreferenceJob learns from preferences."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from trivium.api.block import Block, ListMap
from trivium.api.rules import Rule, exactly_one

SMOOTHED_LOSSES = ("robust", "exo_pair")


class DpoLoss(Block):
    """One term of the loss."""

    type: Literal["sigmoid", "hinge", "ipo", "robust", "exo_pair", "apo_zero", "apo_down", "sft"]
    """The term, in TRL's names; sft: next-token loss on the chosen answer."""
    weight: Annotated[float, Field(gt=0, le=1_000_000)] = 1.0
    """Its weight in the sum."""


class Dpo(Block):
    """Direct preference optimization: no reward model, no generation while training."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            name="label-smoothing-acts",
            cel="self.labelSmoothing == 0.0 || self.losses.exists(loss, loss.type in ['robust', 'exo_pair'])",
            message="labelSmoothing acts only in the losses robust and exo_pair. Add one of them, or set it to 0.",
            holds=lambda dpo: dpo.label_smoothing == 0 or any(loss.type in SMOOTHED_LOSSES for loss in dpo.losses),
            path="labelSmoothing",
        ),
    )

    beta: Annotated[float, Field(gt=0, le=100)] = 0.1
    """How strongly the model is held to its reference; smaller lets it move further."""
    losses: Annotated[tuple[DpoLoss, ...], Field(min_length=1, max_length=8), ListMap("type")] = (
        DpoLoss(type="sigmoid"),
    )
    """The terms of the loss; each type once."""
    # Not `< 0.5`: for a whole number the API server cuts that bound to 0, and would refuse 0 (measured, 1.36).
    label_smoothing: Annotated[float, Field(ge=0, le=0.49)] = 0.0
    """Share of labels that are assumed to be wrong. Acts only in robust and exo_pair."""
    reference: Literal["live", "precomputed"] = "live"
    """live: the reference runs beside the model. precomputed: its log-probabilities are computed once and kept in
    the run directory.
    """


class PreferenceMethod(Block):
    """How to learn: exactly one. RLHF with a reward model, GRPO, KTO and ORPO come with later versions."""

    RULES: ClassVar[tuple[Rule, ...]] = (exactly_one("method-union", "dpo"),)

    dpo: Dpo | None = None
    """Direct preference optimization. `dpo: {}` takes its defaults."""
