"""The recipes: what each kind of job does in its training stage, one file each, readable from top to bottom."""

import importlib
import os
from typing import TYPE_CHECKING

from trivium_trainer.config import RunConfig

if TYPE_CHECKING:
    from trivium_trainer.session import Session


def train_worker(config: RunConfig, session: "Session") -> None:
    """One rank of stage `train`, inside a process group that exists already (driver/torch_group.py makes it).

    Returns when the output is published. Raises TrainingError for every failure that has a name, StopRequested after a
    stop by command; whatever else comes out is a bug.
    """
    assert config.parallelism is not None  # RunConfig's validator: stage train has it
    if config.parallelism.gpus_per_worker == 0:
        # Read by DeepSpeed when it is imported, so it is set before any recipe is.
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
    faults = importlib.import_module("trivium_trainer.engine.faults")
    recipe = importlib.import_module(f"trivium_trainer.recipes.{config.recipe}")
    sizes = {size.world_size: size.micro_batch_size for size in config.parallelism.sizes}
    with faults.named_memory_errors(micro_batch_size=sizes.get(session.world_size, 1)):
        recipe.train(config, session)
