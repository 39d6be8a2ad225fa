"""How many workers of which profile. Everything else about pods is the platform team's, in the profile."""

from typing import Annotated

from pydantic import Field

from trivium.api.block import Block, Seconds, SubdomainName
from trivium.api.mutability import Change


class Compute(Block):
    """The machines of the training stages."""

    profile: Annotated[SubdomainName | None, Change.NEVER] = None
    """Name of a ComputeProfile. Absent: the one whose `default` is true."""
    workers: Annotated[Annotated[int, Field(ge=1, le=10_000)], Change.NEXT_ATTEMPT] = 1
    """Worker pods."""
    gpus_per_worker: Annotated[Annotated[int, Field(ge=1, le=64)] | None, Change.NEVER] = None
    """GPUs of each worker. Absent: all GPUs of a node, as the profile says. On a profile without GPUs leave it out."""
    worker_start_timeout_seconds: Annotated[Seconds, Change.NEXT_ATTEMPT] = 600
    """How long the workers of an attempt, or lost ones, may take to come up before the attempt fails."""
