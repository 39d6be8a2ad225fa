"""How many sequences of each source one epoch takes. Used by the inspection (counts) and by the data order alike."""

from collections.abc import Sequence

from trivium_trainer.config import DataSource


def epoch_draws(weights: Sequence[float], *, sizes: Sequence[int], amounts: Sequence[float]) -> list[int]:
    """Sequences that each source gives to an epoch.

    sizes: sequences per source. amounts: what the weights are shares of, per source in one pass: trained tokens in
    pre-training, examples elsewhere. Equal weights: every sequence of every source once. Unequal: one pass over the
    first source, and of the others as many sequences as make their amount the weight's share; fewer or more than a
    pass, never none.
    """
    if len(set(weights)) == 1:
        return list(sizes)
    unit = amounts[0] / weights[0]
    return [
        size if index == 0 else max(1, round(unit * weight * size / amount))
        for index, (weight, size, amount) in enumerate(zip(weights, sizes, amounts, strict=True))
    ]


def weights_of(sources: Sequence[DataSource]) -> list[float]:
    """The sources' weights in order."""
    return [source.weight for source in sources]
