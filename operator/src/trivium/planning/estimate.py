"""Time and cost of a stage: from FLOPs, the profile's peak, and an efficiency that is assumed or learned.

No peak and nothing learned: no estimate. A number from nowhere would be a lie.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from trivium.api import ComputeProfile
from trivium.api.plan_status import Plan
from trivium.planning.experience import FinishedStage, Learned, learn_speed, learn_start, ranks_of
from trivium.planning.flops import TokenFlops

# Share of the peak that dense training reaches on well-connected GPUs, as MFU without recomputation; published runs lie
# between 0.35 and 0.55. A guess for any one cluster.
EFFICIENCY = 0.4

# What a layer's forward and backward pass take at least, however small: about a hundred kernels that Python launches
# one by one. A guess, without which a tiny model would train in no time.
_LAUNCH_SECONDS_PER_LAYER = 1e-3

# From the decision of an attempt to its first step, without reading weights: pods, Ray, imports; on GPUs the pull of
# the image, too, and kernels that are compiled. Guesses: nobody publishes this.
_START_SECONDS = {True: 120.0, False: 30.0}
# Bytes that one worker reads of a shared file system per second: a guess.
READ_BYTES_PER_SECOND = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """What one rank does."""

    flops_per_second: float
    """Model FLOPs, as MFU counts them."""
    efficiency: float | None
    """The same as a share of the peak; None where the profile names none."""
    source: str


def predict_speed(
    plan: Plan,
    *,
    kind: str,
    adapter: bool,
    flops: TokenFlops,
    layers: int,
    peak_flops: float | None,
    finished: Sequence[FinishedStage],
) -> Speed | None:
    """Learned from finished jobs of the shape, else assumed; None where neither is possible."""
    learned = learn_speed(finished, plan=plan, kind=kind, adapter=adapter)
    if learned is not None and (peak_flops is None or learned.value <= peak_flops):
        return _learned_speed(learned, peak_flops=peak_flops)
    if peak_flops is None or plan.offload != "none":
        # Offloading is as slow as the host's memory and cores: only experience tells.
        return None
    # Recomputed activations are work that MFU does not count.
    efficiency = EFFICIENCY * flops.model / (flops.model + flops.recomputed)
    less = f", less {1 - efficiency / EFFICIENCY:.0%} for recomputed activations" if flops.recomputed else ""
    source = f"assumed: {EFFICIENCY:.0%} of the peak{less}; published runs reach 35 to 55 %"
    launched = _launch_bound(plan, layers=layers)
    if launched is not None and launched < efficiency * peak_flops:
        source = f"assumed: so small a model waits for its kernels, {_LAUNCH_SECONDS_PER_LAYER * 1e3:.0f} ms a layer"
        return Speed(flops_per_second=launched, efficiency=launched / peak_flops, source=source)
    return Speed(flops_per_second=efficiency * peak_flops, efficiency=efficiency, source=source)


def _launch_bound(plan: Plan, *, layers: int) -> float | None:
    """FLOPs per second of a rank that does nothing but launch kernels."""
    if not plan.sizes or not plan.flops_per_step:
        return None
    shortest = layers * plan.sizes[-1].gradient_accumulation * _LAUNCH_SECONDS_PER_LAYER
    return plan.flops_per_step / ranks_of(plan) / shortest


def _learned_speed(learned: Learned, *, peak_flops: float | None) -> Speed:
    if peak_flops is None:
        spread = learned.spread(lambda flops: f"{flops / 1e9:.3g}")
        source = f"{learned.source}: {spread} GFLOPS a worker"
        return Speed(flops_per_second=learned.value, efficiency=None, source=source)
    spread = learned.spread(lambda flops: f"{flops / peak_flops:.1%}")
    source = f"{learned.source}: {spread} of the peak"
    return Speed(flops_per_second=learned.value, efficiency=learned.value / peak_flops, source=source)


def predict_start(plan: Plan, *, weight_bytes: int, finished: Sequence[FinishedStage]) -> tuple[float, str]:
    """(seconds, where they come from) from an attempt's decision to its first step, without queueing."""
    learned = learn_start(finished, plan=plan)
    if learned is not None:
        return learned.value, f"{learned.source}: {learned.spread(lambda seconds: f'{seconds:.0f}')} s"
    fixed = _START_SECONDS[plan.gpus > 0]
    seconds = fixed + weight_bytes / READ_BYTES_PER_SECOND
    return seconds, f"assumed: {fixed:.0f} s for pods, Ray and imports, and 1 GB of weights a second"


def peak_flops_of(profile: ComputeProfile, *, precision: str) -> float | None:
    """FLOPs per second of one GPU at this precision, None where the profile does not say."""
    if profile.spec.gpu is None:
        return None
    peak: float | None = getattr(profile.spec.gpu.peak_tflops, precision)
    return None if peak is None else peak * 1e12


def estimate_fields(
    plan: Plan, *, speed: Speed | None, start: tuple[float, str], price_per_gpu_hour: float | None
) -> dict[str, object]:
    """The plan's fields about time and cost. `plan` has its sizes, flops_per_step and total_steps."""
    fields: dict[str, object] = {"start_seconds": round(start[0], 1), "start_source": start[1]}
    if speed is None or not plan.flops_per_step:
        return fields
    step = plan.flops_per_step / (speed.flops_per_second * ranks_of(plan))
    fields |= {
        "estimated_step_seconds": float(f"{step:.4g}"),
        "efficiency": None if speed.efficiency is None else round(speed.efficiency, 4),
        "efficiency_source": speed.source,
    }
    if not plan.total_steps:
        return fields
    seconds = step * plan.total_steps
    fields["estimated_seconds"] = round(seconds, 1)
    if plan.gpus:
        hours = (seconds + start[0]) * plan.gpus / 3600
        fields["estimated_gpu_hours"] = round(hours, 3)
        fields["estimated_cost"] = None if price_per_gpu_hour is None else round(hours * price_per_gpu_hour, 2)
    return fields
