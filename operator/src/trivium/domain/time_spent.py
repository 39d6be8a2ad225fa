"""Goodput and the kinds of badput: what the time went into that training attempts held machines.

    decided ──start──> first report ──the trainer: download, compile, restore, step, save…──> last report ──other──> end
                                                              └─ step: goodput, unless undone later: wasted

Reports are a tenant's input: never more time is shared out than was held.
"""

from collections.abc import Mapping
from datetime import datetime

from trivium.api.status import Attempt, JobStatus
from trivium.domain.report import ProgressReport

GOODPUT = "step"
WASTED = "wasted"


def read_seconds(report: ProgressReport) -> dict[str, float]:
    """What a trainer says of its attempt, to a tenth of a second."""
    return {kind: round(seconds, 1) for kind, seconds in sorted(report.seconds.items()) if seconds >= 0.05}


def held_since(attempt: Attempt) -> datetime | None:
    """From when on an attempt holds machines; None while it waits for quota."""
    return attempt.admitted_at if attempt.queued else attempt.started_at


def queued_seconds(attempt: Attempt) -> float:
    """How long an attempt has waited for the quota that it has got; 0 if it did not wait. Never negative."""
    if not attempt.queued or attempt.admitted_at is None:
        return 0.0
    return max(0.0, (attempt.admitted_at - attempt.started_at).total_seconds())


def held_seconds(attempt: Attempt, *, until: datetime) -> float:
    """How long an attempt has held machines. Never negative: clocks jump."""
    since = held_since(attempt)
    return 0.0 if since is None else max(0.0, (until - since).total_seconds())


def time_of(attempt: Attempt, *, until: datetime) -> dict[str, float]:
    """Seconds by kind of one attempt; together they are what it has held."""
    held = held_seconds(attempt, until=until)
    starting = min(held, held_seconds(attempt, until=attempt.running_at or until))
    said = sum(attempt.seconds.values())
    # A clock that jumped, or a trainer that exaggerates.
    scale = min(1.0, (held - starting) / said) if said > 0 else 0.0
    parts = {kind: seconds * scale for kind, seconds in attempt.seconds.items()}
    parts["start"] = parts.get("start", 0.0) + starting
    parts["other"] = parts.get("other", 0.0) + held - starting - said * scale
    return {kind: round(seconds, 1) for kind, seconds in parts.items() if seconds >= 0.05}


def undo_steps(parts: Mapping[str, float], attempt: Attempt, *, resume_step: int) -> dict[str, float]:
    """The same time after the steps behind `resume_step` were lost: they will be trained again.

    Of this attempt's own steps only; a rollback beyond its beginning wastes more than is said here.
    """
    done = attempt.last_step - attempt.first_step
    lost = attempt.last_step - max(resume_step, attempt.first_step)
    if done <= 0 or lost <= 0 or GOODPUT not in parts:
        return dict(parts)
    wasted = parts[GOODPUT] * lost / done
    moved = {GOODPUT: parts[GOODPUT] - wasted, WASTED: parts.get(WASTED, 0.0) + wasted}
    return {kind: round(seconds, 1) for kind, seconds in {**parts, **moved}.items() if seconds >= 0.05}


def add_time(total: Mapping[str, float], parts: Mapping[str, float]) -> dict[str, float]:
    """The sum by kind."""
    kinds = sorted({*total, *parts})
    return {kind: round(total.get(kind, 0.0) + parts.get(kind, 0.0), 1) for kind in kinds}


def goodput(status: JobStatus, *, until: datetime) -> float | None:
    """Seconds that moved training forward, of the seconds that attempts held machines; the living attempt included."""
    living = status.attempts[-1] if status.attempts else None
    total: Mapping[str, float] = status.seconds
    if living is not None and living.ended_at is None and living.stage == "train":
        total = add_time(total, time_of(living, until=until))
    held = sum(total.values())
    if not total.get(GOODPUT) or held <= 0:
        return _estimate(status, until=until)
    return round(min(1.0, total[GOODPUT] / held), 3)


def _estimate(status: JobStatus, *, until: datetime) -> float | None:
    """For a trainer that does not say what its time goes into: its tokens at the present speed, of the time held.

    Work done twice after a restart counts once, and so do start, evaluation and saving not at all.
    """
    progress = status.progress
    attempts = [attempt for attempt in status.attempts if attempt.stage == "train"]
    if progress is None or not progress.tokens_per_second or not progress.tokens or not attempts:
        return status.goodput
    held = sum(held_seconds(attempt, until=attempt.ended_at or until) for attempt in attempts)
    if held <= 0:
        return status.goodput
    return round(min(1.0, progress.tokens / progress.tokens_per_second / held), 3)
