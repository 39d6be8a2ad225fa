"""What a finished training stage took, beside what was predicted for it. Pure; computed once, when the stage ends.

Times are the operator's and the trainer's own clocks (status.seconds); FLOPs are the plan's.
"""

from collections.abc import Mapping

from trivium.api import ComputeProfile, Job
from trivium.api.plan_status import Plan, PlanOutcome
from trivium.api.status import JobStatus
from trivium.planning.estimate import peak_flops_of
from trivium.planning.experience import ranks_of

_BEFORE_THE_FIRST_STEP = ("start", "download", "prepare", "compile")
_TRAINING = ("step", "save", "evaluate", "sample", "wasted", "restore")


def measure_outcome(
    job: Job, *, status: JobStatus, plan: Plan, profile: ComputeProfile | None, memory_bytes: int | None = None
) -> PlanOutcome | None:
    """The outcome of the stage `train`, which has just ended well. None where the trainer told no times.

    `status` holds all of its attempts, the last one ended; `profile` is None if it has vanished; `memory_bytes` is the
    largest peak that a rank reported.
    """
    seconds = status.seconds
    training = _total(seconds, _TRAINING)
    steps = plan.total_steps
    if training <= 0 or steps == 0:
        return None
    stepping = seconds.get("step", 0.0)
    rate = status.progress.tokens / stepping if status.progress is not None and stepping else None
    start = _total(seconds, _BEFORE_THE_FIRST_STEP)
    saves = _count_saves(job, plan=plan, steps=steps, seconds=training)
    return PlanOutcome(
        seconds=round(training, 1),
        start_seconds=round(start / _training_attempts(status), 1) if start else None,
        steps=steps,
        step_seconds=round(stepping / steps, 6) if stepping else None,
        save_seconds=round(seconds["save"] / saves, 3) if seconds.get("save") else None,
        tokens_per_second=None if rate is None else float(f"{rate:.4g}"),
        mfu=_mfu(plan, stepping=stepping, steps=steps, profile=profile),
        memory_bytes=memory_bytes,
        interruptions=status.restarts,
        gpu_hours=round(status.gpu_seconds / 3600, 3) if plan.gpus else None,
        cost=status.cost,
    )


def _total(seconds: Mapping[str, float], kinds: tuple[str, ...]) -> float:
    return sum(seconds.get(kind, 0.0) for kind in kinds)


def _training_attempts(status: JobStatus) -> int:
    """Attempts are counted over the life of the job; those of `prepare` come first and may have been dropped."""
    last = max((attempt.number for attempt in status.attempts), default=1)
    prepared = max((attempt.number for attempt in status.attempts if attempt.stage == "prepare"), default=1)
    return max(1, last - prepared)


def _count_saves(job: Job, *, plan: Plan, steps: int, seconds: float) -> int:
    """Checkpoints of the run as its interval gives them; the one at the end is always taken."""
    every = job.spec.storage.checkpoints.every
    by_steps = steps // every.steps if every.steps is not None else 0
    interval = every.minutes * 60 if every.minutes is not None else plan.checkpoint_seconds
    by_time = int(seconds / interval) if interval and (every.steps is None or every.minutes is not None) else 0
    return max(by_steps, by_time + 1)


def _mfu(plan: Plan, *, stepping: float, steps: int, profile: ComputeProfile | None) -> float | None:
    peak = peak_flops_of(profile, precision=plan.precision) if profile is not None else None
    if peak is None or not plan.flops_per_step or not stepping:
        return None
    return round(plan.flops_per_step * steps / (stepping * ranks_of(plan) * peak), 4)
