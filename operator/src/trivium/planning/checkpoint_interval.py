"""How often to save, where the job leaves it to us: the interval that loses least, sqrt(2 · C · MTBF).

C is the time that a save keeps training waiting, MTBF the mean time between failures of the whole run. A longer
interval repeats more steps after a failure, a shorter one saves more than it is worth. Source: Young, CACM 17 (1974)
530.

    lost share = C / T + T / (2 · MTBF), least at T = sqrt(2 · C · MTBF), and flat there: twice the best T costs a
    quarter more of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from trivium.api import Job
from trivium.api.plan_status import Plan
from trivium.planning.experience import FinishedStage, count_failures, learn_save, ranks_of

_HOUR = 3600.0
# 419 unexpected interruptions in 54 days on 16,384 GPUs: Llama 3 405B (arXiv 2407.21783, section 3.3.4).
_RANK_HOURS_PER_FAILURE = 54 * 24 * 16_384 / 419
# Whatever does not grow with the number of GPUs: preemption, drained nodes, updates. A guess: once a day.
_HOURS_PER_OTHER_INTERRUPTION = 24.0
# A save also waits for the slowest rank and writes many small files. A guess.
_FIXED_SAVE_SECONDS = 1.0
# Bytes that one worker writes to shared storage per second: a guess.
_WRITE_BYTES_PER_SECOND = 1e9
# Weights, float32 copy, two moments: facts of DeepSpeed's ZeRO checkpoints with Adam.
_BYTES_PER_TRAINED_PARAMETER = {2: 14, 4: 12}


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointInterval:
    """The choice, and what it rests on."""

    seconds: float
    save_seconds: float
    mtbf_seconds: float
    source: str


def best_interval(*, save_seconds: float, mtbf_seconds: float) -> float:
    """Young's interval in seconds; never shorter than the save itself."""
    return max(save_seconds, sqrt(2 * save_seconds * mtbf_seconds))


def lost_share(*, interval_seconds: float, save_seconds: float, mtbf_seconds: float) -> float:
    """Share of the time that saving and repeating cost at an interval; restarts themselves not counted."""
    return save_seconds / interval_seconds + interval_seconds / (2 * mtbf_seconds)


def choose_interval(
    job: Job, *, plan: Plan, trainable: int, element_bytes: int, finished: Sequence[FinishedStage]
) -> CheckpointInterval | None:
    """None where the job says its interval itself."""
    every = job.spec.storage.checkpoints.every
    if every.steps is not None or every.minutes is not None:
        return None
    save, save_source = _save_seconds(job, plan=plan, trainable=trainable, bytes_=element_bytes, finished=finished)
    mtbf, mtbf_source = _mtbf_seconds(plan, finished=finished)
    return CheckpointInterval(
        seconds=best_interval(save_seconds=save, mtbf_seconds=mtbf),
        save_seconds=save,
        mtbf_seconds=mtbf,
        source=f"sqrt(2 · C · MTBF) with C = {save:.1f} s ({save_source}) and MTBF = {mtbf / _HOUR:.1f} h "
        f"({mtbf_source})",
    )


def _save_seconds(
    job: Job, *, plan: Plan, trainable: int, bytes_: int, finished: Sequence[FinishedStage]
) -> tuple[float, str]:
    learned = learn_save(finished, plan=plan, adapter=job.spec.adapter is not None)
    if learned is not None:
        return learned.value, learned.source
    state = _BYTES_PER_TRAINED_PARAMETER[bytes_] * trainable
    seconds = _FIXED_SAVE_SECONDS + state / (_WRITE_BYTES_PER_SECOND * max(1, plan.workers))
    return seconds, f"assumed: {state / 1e9:.3g} GB, and 1 GB/s from each worker"


def _mtbf_seconds(plan: Plan, *, finished: Sequence[FinishedStage]) -> tuple[float, str]:
    """Of the whole run. What was seen is added to the assumption as if that were one interruption seen before."""
    ranks = ranks_of(plan)
    assumed = 1 / (ranks / _RANK_HOURS_PER_FAILURE + 1 / _HOURS_PER_OTHER_INTERRUPTION)
    interruptions, rank_seconds = count_failures(finished)
    # The assumption in rank-hours of this size, so that both can be added.
    hours = (assumed * ranks + rank_seconds / _HOUR) / (1 + interruptions) / ranks
    what = ("GPU" if plan.gpus else "worker") + ("" if ranks == 1 else "s")
    source = f"assumed for {ranks} {what}: Llama 3's rate and one other interruption a day"
    if rank_seconds:
        seen = "1 interruption" if interruptions == 1 else f"{interruptions} interruptions"
        hours_seen = rank_seconds / _HOUR
        shown = f"{hours_seen:,.0f}" if hours_seen >= 10 else f"{hours_seen:.2f}"
        source += f"; corrected by {seen} in {shown} rank-hours on this profile"
    return hours * _HOUR, source


def interval_fields(
    interval: CheckpointInterval | None, *, estimated_seconds: float | None, total_steps: int
) -> dict[str, object]:
    """The plan's fields about checkpoints."""
    if interval is None:
        return {}
    steps = None
    if estimated_seconds and total_steps:
        steps = max(1, min(total_steps, round(interval.seconds * total_steps / estimated_seconds)))
    return {
        "checkpoint_seconds": round(interval.seconds, 1),
        "checkpoint_every_steps": steps,
        "checkpoint_source": interval.source,
    }
