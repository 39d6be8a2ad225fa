"""How long training takes, from FLOPs and the profile's peak. No peak, no estimate: a number from nowhere is a lie."""

from dataclasses import dataclass

from trivium.planning.architecture import Architecture
from trivium.planning.parameters import ParameterCount

# Share of the peak that dense training reaches on well-connected GPUs; published runs lie between 0.35 and 0.55.
# A guess for any one cluster.
EFFICIENCY = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Units: seconds of training without queueing, start and evaluation; GPU-hours; the platform's currency."""

    seconds: float
    gpu_hours: float
    cost: float | None


def flops_per_token(
    architecture: Architecture,
    parameters: ParameterCount,
    *,
    max_length: int,
    adapter: bool,
    checkpointing: bool,
    live_reference: bool,
) -> float:
    """FLOPs that training spends on one token of input.

    Forward 2, backward 4 per weight that the token passes, and 12·layers·hidden·length for attention (facts: the MFU
    formula of PaLM, arXiv 2204.02311, appendix B). Frozen weights need no gradient of their own: backward 2.
    """
    forward = 2 * parameters.active + 4 * architecture.num_layers * architecture.hidden_size * max_length
    passes = 1 + (1 if adapter else 2) + (1 if checkpointing else 0) + (1 if live_reference else 0)
    return float(forward * passes)


def estimate_run(
    *, flops: float, gpus: int, peak_tflops: float | None, price_per_gpu_hour: float | None
) -> Estimate | None:
    """Time and cost of `flops` in all; None where the profile names no peak."""
    if peak_tflops is None or gpus == 0:
        return None
    seconds = flops / (gpus * peak_tflops * 1e12 * EFFICIENCY)
    hours = seconds * gpus / 3600
    cost = None if price_per_gpu_hour is None else hours * price_per_gpu_hour
    return Estimate(seconds=seconds, gpu_hours=hours, cost=cost)
