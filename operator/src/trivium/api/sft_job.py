"""SFTJob: from a base model to one that answers."""

from typing import Annotated, ClassVar, Literal

from trivium.api.data import SFTData
from trivium.api.job import JobResource
from trivium.api.job_spec import JobSpec
from trivium.api.model import StartingModel
from trivium.api.mutability import Change
from trivium.api.resource import ResourceNames


class SFTJobSpec(JobSpec):
    """Supervised fine-tuning. The smallest one is a model and a data set."""

    model: Annotated[StartingModel, Change.NEVER]
    """The model that is tuned."""
    data: Annotated[SFTData, Change.NEVER]
    """Examples of how to answer."""


class SFTJob(JobResource):
    """Fine-tune a language model on examples of how to answer."""

    NAMES: ClassVar[ResourceNames] = ResourceNames(kind="SFTJob", plural="sftjobs", singular="sftjob", short_name="sft")

    kind: Literal["SFTJob"] = "SFTJob"
    spec: SFTJobSpec
    """What to train, on what, and where."""
