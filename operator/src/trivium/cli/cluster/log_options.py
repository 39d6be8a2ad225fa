"""What may be asked of a log. Light: the command line makes it before anything is loaded."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOptions:
    """What was asked for; None is the last attempt, and everything it printed."""

    stage: str | None = None
    attempt: int | None = None
    follow: bool = False
    all_pods: bool = False
    tail: int | None = None
    timestamps: bool = False
