"""What the platform allows a job, as its profile says: remote code, places on the network, storage, quantization."""

from collections.abc import Iterator

from trivium.api import ComputeProfile, Job, PretrainJob
from trivium.api.data import DataFrom
from trivium.api.model import TokenizerSource
from trivium.api.plan_status import StoragePlan
from trivium.planning.refusal import PlanError


def check_policy(job: Job, *, profile: ComputeProfile) -> None:
    """Raise PlanError for the first thing that the profile does not allow."""
    name = profile.metadata.name
    if job.spec.model.trust_remote_code and not profile.spec.policy.trust_remote_code:
        raise PlanError(
            "spec.model.trustRemoteCode",
            f"true, but profile {name} does not run code from model repositories",
            "Set trustRemoteCode: false, or ask the platform team for policy.trustRemoteCode.",
        )
    allowed = profile.spec.policy.uri_schemes
    for field, uri in _uris(job):
        scheme = uri.partition("://")[0]
        if scheme not in allowed:
            have = f"only {', '.join(allowed)}" if allowed else "no uri at all"
            raise PlanError(
                field,
                f"{scheme}:// is not among the schemes of profile {name}, which allows {have}",
                "Copy it into a claim and use volume, or ask the platform team for policy.uriSchemes.",
            )
    if job.spec.adapter and job.spec.adapter.quantization == "nf4" and "bitsandbytes" not in profile.spec.features:
        raise PlanError(
            "spec.adapter.quantization",
            f"nf4 needs bitsandbytes, which the image of profile {name} lacks",
            "Set quantization: none, or choose another profile.",
        )


def resolve_runs(job: Job, *, profile: ComputeProfile) -> StoragePlan:
    """The claim of the run directory: the job's, else the profile's."""
    if job.spec.storage.runs is not None:
        volume = job.spec.storage.runs.volume
        return StoragePlan(claim_name=volume.claim_name, path=volume.path)
    if profile.spec.storage is not None:
        runs = profile.spec.storage.runs
        return StoragePlan(claim_name=runs.claim_name, path=runs.path)
    raise PlanError(
        "spec.storage.runs",
        f"absent, and profile {profile.metadata.name} names no claim either",
        "Add storage: {runs: {volume: {claimName: <a ReadWriteMany claim>}}}.",
    )


def _uris(job: Job) -> Iterator[tuple[str, str]]:
    """(field, uri) of every source that names one."""
    for field, source in _sources(job):
        if source.uri is not None:
            yield f"{field}.uri", source.uri


def _sources(job: Job) -> Iterator[tuple[str, TokenizerSource | DataFrom]]:
    """(field, source) of the model, its tokenizer and the data."""
    if job.spec.model.from_ is not None:
        yield "spec.model.from", job.spec.model.from_
    tokenizer = job.spec.model.tokenizer if isinstance(job, PretrainJob) else None
    if tokenizer is not None and tokenizer.from_ is not None:
        yield "spec.model.tokenizer.from", tokenizer.from_
    for part, sources in (("train", job.spec.data.train), ("evaluation", job.spec.data.evaluation or ())):
        for index, source in enumerate(sources):
            yield f"spec.data.{part}[{index}].from", source.from_
