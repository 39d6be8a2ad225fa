"""Secrets that a job names: typed, few, and opted in by their name's prefix."""

from typing import Annotated

from pydantic import Field

from trivium.api.block import Block, LabelName


class Credential(Block):
    """One key of one Secret of the job's namespace, mounted as a file for the sources that name it."""

    name: LabelName
    """The name that `credential` fields of this job refer to."""
    secret: Annotated[str, Field(max_length=253, pattern=r"^trivium-[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
    """The Secret. Its name must start with `trivium-`: so it opts in, and no other Secret can be named."""
    key: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$")]
    """Key inside the Secret. For the hub: a token. For a uri: a JSON object with the fsspec storage options."""
