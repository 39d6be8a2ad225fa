"""Where a job writes, and how often it saves."""

from typing import Annotated

from pydantic import Field

from trivium.api.block import Block, RelativePath, Steps, SubdomainName, Uid
from trivium.api.mutability import Change


class VolumeSource(Block):
    """A PersistentVolumeClaim of the job's namespace."""

    claim_name: SubdomainName
    """Name of the claim."""
    path: RelativePath | None = None
    """Folder or file inside the claim; absent: its root."""


class RunsStorage(Block):
    """Where run directories live. Object storage comes with a later version: use a ReadWriteMany claim."""

    volume: VolumeSource
    """A claim that every pod of the job can mount: ReadWriteMany, unless the job has a single pod."""


class CheckpointInterval(Block):
    """When a checkpoint is taken; with both, whichever comes first."""

    steps: Steps | None = None
    """Optimizer steps between checkpoints."""
    minutes: Annotated[float, Field(gt=0, le=10_080)] | None = None
    """Minutes between checkpoints."""


class Checkpoints(Block):
    """How often training saves, and how much of it is kept."""

    every: CheckpointInterval = CheckpointInterval()
    """The interval. Left empty, the plan chooses the one that loses least (status.plan.checkpointSeconds); where the
    time of a step is not known before, also every tenth of the run.
    """
    keep: Annotated[int, Field(ge=1, le=100)] = 3
    """Complete checkpoints that are kept; older ones are removed after a newer one is complete."""


class Storage(Block):
    """Checkpoints, logs, report and the final model."""

    runs: Annotated[RunsStorage | None, Change.NEVER] = None
    """Where the run directory lies. Absent: the profile's storage."""
    checkpoints: Annotated[Checkpoints, Change.NEXT_ATTEMPT] = Checkpoints()
    """When checkpoints are taken and how many are kept."""
    continue_from: Annotated[Uid | None, Change.NEVER] = None
    """uid of an earlier job, deleted or failed, of the same kind, name and immutable spec, whose run directory is
    adopted.
    """
