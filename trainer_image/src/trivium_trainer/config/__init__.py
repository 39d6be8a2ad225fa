"""RunConfig: everything the trainer is told. Pydantic only; the operator renders it, the trainer obeys it.

It holds nothing that changes between the attempts of one RayJob: the attempt's number and the remaining restart budget
come in the answer to the first progress report. Paths are absolute inside the pod; the trainer resolves them under
`TRIVIUM_MOUNT_ROOT` (default `/`), so a laptop needs no mounts.
"""

from trivium_trainer.config.block import Block
from trivium_trainer.config.inputs import (
    Architecture,
    Data,
    DataFiles,
    DataSource,
    HubSource,
    Model,
    Source,
    TrainTokenizer,
)
from trivium_trainer.config.library_settings import LIBRARY_SETTINGS
from trivium_trainer.config.run import (
    Ancestor,
    Checkpoints,
    Evaluation,
    JobIdentity,
    Output,
    Progress,
    Recovery,
    RunConfig,
    Sampling,
    SkipWindow,
)
from trivium_trainer.config.training import (
    Adapter,
    Dpo,
    DpoLoss,
    Lora,
    Optimization,
    Parallelism,
    WorldSize,
)

__all__ = [
    "LIBRARY_SETTINGS",
    "Adapter",
    "Ancestor",
    "Architecture",
    "Block",
    "Checkpoints",
    "Data",
    "DataFiles",
    "DataSource",
    "Dpo",
    "DpoLoss",
    "Evaluation",
    "HubSource",
    "JobIdentity",
    "Lora",
    "Model",
    "Optimization",
    "Output",
    "Parallelism",
    "Progress",
    "Recovery",
    "RunConfig",
    "Sampling",
    "SkipWindow",
    "Source",
    "TrainTokenizer",
    "WorldSize",
]
