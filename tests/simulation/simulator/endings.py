"""What befalls the ranks of a run, and how its driver's process ends of it."""

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Trouble(Exception):  # noqa: N818 what happens to the ranks, not an error of the simulation
    """A blow to a start: a failure that a rank names ends the attempt, others may be retried inside."""

    failure_class: str
    reason: str
    named: bool
    details: dict[str, Any] = field(default_factory=dict)


class StopAsked(Exception):  # noqa: N818 a command, not an error
    """Save and stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How the driver's process ended, as Ray and KubeRay see it."""

    job_status: str
    message: str


def failure_of(trouble: Trouble) -> dict[str, Any]:
    """What the record says of it."""
    place = {key: value for key, value in trouble.details.items() if key != "hang"}
    return {
        "class": trouble.failure_class,
        "reason": trouble.reason,
        "message": "It broke.",
        "remedy": "Mend it.",
        **place,
    }


def ending_of(record: dict[str, Any], *, falsely_failed: bool) -> Ending:
    """What Ray shows of a driver with this record; exit codes get lost."""
    if falsely_failed:
        return Ending(job_status="FAILED", message="The agent of the job was gone.")
    if record["outcome"] == "complete":
        return Ending(job_status="SUCCEEDED", message="Job finished successfully.")
    tail = "Job entrypoint command failed with exit code 1\nTRIVIUM-RECORD " + json.dumps(record)
    return Ending(job_status="FAILED", message=tail)
