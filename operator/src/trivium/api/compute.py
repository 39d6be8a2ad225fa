"""How many workers of which profile. Everything else about pods is the platform team's, in the profile."""

from typing import Annotated, ClassVar

from pydantic import Field

from trivium.api.block import Block, QueueName, Seconds, SubdomainName
from trivium.api.mutability import Change
from trivium.api.rules import Rule


class Compute(Block):
    """The machines of the training stages."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            name="min-workers",
            cel="!has(self.minWorkers) || self.minWorkers <= self.workers",
            message="minWorkers is above workers. Lower it, or raise workers.",
            holds=lambda compute: compute.min_workers is None or compute.min_workers <= compute.workers,
            path="minWorkers",
        ),
    )

    profile: Annotated[SubdomainName | None, Change.NEVER] = None
    """Name of a ComputeProfile. Absent: the one whose `default` is true."""
    workers: Annotated[Annotated[int, Field(ge=1, le=10_000)], Change.NEXT_ATTEMPT] = 1
    """Worker pods."""
    min_workers: Annotated[Annotated[int, Field(ge=1, le=10_000)] | None, Change.NEXT_ATTEMPT] = None
    """Training goes on with fewer workers, down to this many, when the platform cannot give all of them; a later
    attempt asks for all again. globalBatchSize must divide by the ranks of every number between the two. Absent: always
    `workers`.
    """
    gpus_per_worker: Annotated[Annotated[int, Field(ge=1, le=64)] | None, Change.NEVER] = None
    """GPUs of each worker. Absent: all GPUs of a node, as the profile says. On a profile without GPUs leave it out."""
    queue: Annotated[QueueName | None, Change.NEXT_ATTEMPT] = None
    """Kueue LocalQueue of the namespace, one that the profile allows. Absent: the profile's default, if it has one."""
    priority: Annotated[QueueName | None, Change.NEXT_ATTEMPT] = None
    """Kueue WorkloadPriorityClass, one that the profile allows. Absent: the profile's default."""
    worker_start_timeout_seconds: Annotated[Seconds, Change.NEXT_ATTEMPT] = 600
    """How long the workers of an attempt, or lost ones, may take to come up before the attempt fails."""
