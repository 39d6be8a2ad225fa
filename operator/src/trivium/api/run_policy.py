"""Suspension and deadlines."""

from typing import Annotated

from pydantic import Field

from trivium.api.block import Block, Seconds


class RunPolicy(Block):
    """Suspension and deadlines; all of it may be changed at any time."""

    suspend: bool = False
    """true: save a checkpoint, then free every GPU. false again: go on from there."""
    start_deadline_seconds: Seconds | None = None
    """The job fails if its first attempt has not started this long after its creation."""
    active_deadline_seconds: Seconds | None = None
    """The job fails when its attempts, all together, have run this long. Suspended time does not count."""
    ttl_seconds_after_finished: Annotated[int, Field(ge=0, le=315_360_000)] | None = None
    """The job is deleted this long after it ended; its run directory stays. Absent: never."""
