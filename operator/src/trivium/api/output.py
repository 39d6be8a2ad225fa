"""What is left behind beside the model. Publishing to a hub comes with a later version."""

from trivium.api.block import Block


class OutputOptions(Block):
    """The model is always written merged and loadable; an adapter lies beside it."""

    model_card: bool = True
    """Write a model card: data digests, hyper-parameters, lineage, evaluation."""
