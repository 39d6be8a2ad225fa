"""Number format, attention and kernels, from what the profile's image and machines have."""

from dataclasses import dataclass
from typing import Literal

from trivium.api import ComputeProfile, Job
from trivium.planning.architecture import Architecture
from trivium.planning.refusal import PlanError

FlashFeature = "flash-attention-2"
Attention = Literal["flash_attention_2", "sdpa", "eager"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """What a rank computes with."""

    dtype: Literal["bfloat16", "float32"]
    attention: Attention
    liger: bool

    @property
    def element_bytes(self) -> Literal[2, 4]:
        return 2 if self.dtype == "bfloat16" else 4


def resolve_precision(job: Job, *, profile: ComputeProfile, architecture: Architecture | None) -> Precision:
    """`auto` becomes what the profile has; what it lacks is refused. `architecture` is None before the inspection."""
    gpu = profile.spec.gpu is not None
    wanted = job.spec.model.dtype
    dtype: Literal["bfloat16", "float32"] = ("bfloat16" if gpu else "float32") if wanted == "auto" else wanted
    return Precision(
        dtype=dtype,
        attention=_attention(job, profile=profile, dtype=dtype, architecture=architecture),
        liger=_liger(job, profile=profile),
    )


def _attention(job: Job, *, profile: ComputeProfile, dtype: str, architecture: Architecture | None) -> Attention:
    wanted = job.spec.model.attention
    flash = profile.spec.gpu is not None and FlashFeature in profile.spec.features
    if wanted == "flash" and (not flash or dtype != "bfloat16"):
        lacks = "computes in float32" if flash else "has no GPU image with flash-attention-2"
        way = "Set dtype: bfloat16, or attention: auto." if flash else "Set attention: auto, or choose another profile."
        raise PlanError("spec.model.attention", f"flash needs it, but profile {profile.metadata.name} {lacks}", way)
    if wanted == "flash" or (wanted == "auto" and flash and dtype == "bfloat16"):
        return "flash_attention_2"
    sdpa = architecture is None or architecture.family.sdpa
    if wanted == "sdpa" and not sdpa:
        model = architecture.model_type if architecture else ""
        raise PlanError(
            "spec.model.attention", f"sdpa is not offered by transformers for {model}", "Set attention: auto."
        )
    return "sdpa" if wanted in {"auto", "sdpa"} and sdpa else "eager"


def _liger(job: Job, *, profile: ComputeProfile) -> bool:
    wanted = job.spec.model.kernels.liger
    have = profile.spec.gpu is not None and "liger" in profile.spec.features
    if wanted == "enabled" and not have:
        raise PlanError(
            "spec.model.kernels.liger",
            f"enabled, but profile {profile.metadata.name} has no GPU image with liger",
            "Set liger: auto, or choose another profile.",
        )
    return have and wanted != "disabled"
