"""PreferenceJob: from a model that answers to one that answers well."""

from typing import Annotated, ClassVar, Literal

from trivium.api.data import PreferenceData
from trivium.api.job import JobResource
from trivium.api.job_spec import JobSpec
from trivium.api.model import StartingModel
from trivium.api.mutability import Change
from trivium.api.preference_method import PreferenceMethod
from trivium.api.resource import ResourceNames


class PreferenceJobSpec(JobSpec):
    """Learning from preferences. The model it starts from is also its reference."""

    method: Annotated[PreferenceMethod, Change.NEVER]
    """How to learn from the preferences."""
    model: Annotated[StartingModel, Change.NEVER]
    """The model that is tuned, and the reference it is held to."""
    data: Annotated[PreferenceData, Change.NEVER]
    """Pairs of answers to the same prompt."""


class PreferenceJob(JobResource):
    """Teach a language model which of two answers people prefer."""

    NAMES: ClassVar[ResourceNames] = ResourceNames(
        kind="PreferenceJob", plural="preferencejobs", singular="preferencejob", short_name="pref"
    )

    kind: Literal["PreferenceJob"] = "PreferenceJob"
    spec: PreferenceJobSpec
    """What to train, on what, and where."""
