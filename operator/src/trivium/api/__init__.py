"""The custom resources `trivium.dev/v1alpha1` as frozen pydantic models; pure, imported by everything above.

`parse_job` and `parse_profile` read what the API server or a file holds. The CRDs, the editors' JSON schema and the
API reference are generated from these models by `python -m trivium.api.generate`.
"""

import json
from collections.abc import Mapping
from typing import Any

from trivium.api.block import RULES_LATER
from trivium.api.compute_profile import ComputeProfile
from trivium.api.preference_job import PreferenceJob
from trivium.api.pretrain_job import PretrainJob
from trivium.api.resource import API_VERSION, GROUP, VERSION, Resource
from trivium.api.sft_job import SFTJob

Job = PretrainJob | SFTJob | PreferenceJob
JOB_KINDS: dict[str, type[PretrainJob] | type[SFTJob] | type[PreferenceJob]] = {
    "PretrainJob": PretrainJob,
    "SFTJob": SFTJob,
    "PreferenceJob": PreferenceJob,
}


class UnknownKindError(ValueError):
    """The manifest is of no kind that we know."""


def manifest_to_json(manifest: Mapping[str, Any]) -> str:
    """The manifest as pydantic's strict mode reads it.

    By way of JSON, because only there it is strict as the API server is: "3" is no integer, but a list is a tuple and a
    string a time.
    """
    return json.dumps(manifest, default=dict)


def parse_with_rules_later(resource: type[Resource], manifest: Mapping[str, Any]) -> Resource:
    """A resource whose RULES were not asked: trivium.api.validation asks all of them and says where each broke."""
    return resource.model_validate_json(
        manifest_to_json(manifest), strict=True, by_alias=True, by_name=False, context=RULES_LATER
    )


def parse_job(manifest: Mapping[str, Any]) -> Job:
    """One job from its manifest, in the YAML's own spelling, defaults filled in.

    Raises UnknownKindError for another kind, pydantic.ValidationError for an invalid manifest.
    """
    kind = manifest.get("kind")
    model = JOB_KINDS.get(kind) if isinstance(kind, str) else None
    if model is None:
        raise UnknownKindError(f"kind: {kind} is none of {', '.join(JOB_KINDS)}. Set kind to the job you mean.")
    return model.model_validate_json(manifest_to_json(manifest), strict=True, by_alias=True, by_name=False)


def parse_profile(manifest: Mapping[str, Any]) -> ComputeProfile:
    """One profile from its manifest. Raises pydantic.ValidationError for an invalid one."""
    return ComputeProfile.model_validate_json(manifest_to_json(manifest), strict=True, by_alias=True, by_name=False)


__all__ = [
    "API_VERSION",
    "GROUP",
    "JOB_KINDS",
    "VERSION",
    "ComputeProfile",
    "Job",
    "PreferenceJob",
    "PretrainJob",
    "SFTJob",
    "UnknownKindError",
    "manifest_to_json",
    "parse_job",
    "parse_profile",
    "parse_with_rules_later",
]
