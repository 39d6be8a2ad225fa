"""A history as a value: the world, its jobs, and what befalls them when. Printed short, kept as JSON, shrunk by parts."""

import json
from dataclasses import asdict, dataclass, replace
from typing import Any

PHASES = (
    "Pending",
    "Waiting",
    "Queued",
    "Preparing",
    "Starting",
    "Running",
    "Suspending",
    "Suspended",
    "Restarting",
    "Succeeded",
    "Failed",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job of the script. Names are a, b, c by their place."""

    kind: str = "SFTJob"
    steps: int = 30
    every: int = 10
    workers: int = 1
    upstream: int | None = None
    """Place of the job that it goes on from."""
    suspended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """A fault (faults/), `after` seconds from the moment that a job enters a phase for the nth time."""

    fault: str
    phase: str
    job: int = 0
    nth: int = 1
    after: float = 0.0
    amount: float = 0.0
    """Seconds, steps or an index: each fault says what it means."""

    def __str__(self) -> str:
        time = "" if self.nth == 1 else f" for time {self.nth}"
        extent = f" ({self.amount:g})" if self.amount else ""
        return f"{self.after:g} s after job {'abcdef'[self.job]} is {self.phase}{time}: {self.fault}{extent}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """Everything that a history depends on."""

    seed: int = 0
    """Of latencies and other small chance; faults are all written out."""
    jobs: tuple[Job, ...] = (Job(),)
    strikes: tuple[Strike, ...] = ()
    kuberay: str = "1.6"
    default_queue: bool = False
    """Whether Kueue puts every RayJob of the namespace into a queue."""
    profile_queue: str | None = None
    """The queue that the profiles name: then RayJobs are born into it, suspended."""
    replicas: int = 1
    skews: tuple[float, ...] = (0.0, 0.0)
    """Seconds that each replica's clock is ahead of the truth."""
    bad_data: tuple[int, ...] = ()
    """Data steps that training diverges on."""

    def __str__(self) -> str:
        queue = ", every RayJob queued by Kueue" if self.default_queue else ""
        queue += f", profiles with queue {self.profile_queue}" if self.profile_queue else ""
        clocks = f", clocks {self.skews[0]:+g} s and {self.skews[1]:+g} s" if any(self.skews) else ""
        lines = [f"seed {self.seed}, KubeRay {self.kuberay}{queue}, {self.replicas} replicas{clocks}"]
        for name, job in zip("abcdef", self.jobs, strict=False):
            after = f" from job {'abcdef'[job.upstream]}" if job.upstream is not None else ""
            held = ", born suspended" if job.suspended else ""
            lines.append(f"job {name}: {job.kind}{after}, {job.steps} steps, a checkpoint every {job.every}{held}")
        if self.bad_data:
            lines.append(f"bad data at {', '.join(map(str, self.bad_data))}")
        return "\n".join([*lines, *map(str, self.strikes)])

    def with_strikes(self, strikes: tuple[Strike, ...]) -> "Script":
        return replace(self, strikes=strikes)


def dump(script: Script) -> str:
    """JSON without what is as usual."""
    whole, usual = asdict(script), asdict(Script())
    kept = {key: value for key, value in whole.items() if value != usual[key]}
    plain_job, plain_strike = asdict(Job()), asdict(Strike(fault="", phase=""))
    for part, plain in (("jobs", plain_job), ("strikes", plain_strike)):
        if part in kept:
            kept[part] = [{k: v for k, v in one.items() if v != plain[k]} for one in kept[part]]
    return json.dumps(kept, indent=1)


def load(text: str) -> Script:
    """The script that `dump` wrote."""
    raw: dict[str, Any] = json.loads(text)
    for part in ("skews", "bad_data"):
        if part in raw:
            raw[part] = tuple(raw[part])
    jobs = tuple(Job(**one) for one in raw.pop("jobs", [{}]))
    strikes = tuple(Strike(**one) for one in raw.pop("strikes", []))
    return Script(jobs=jobs, strikes=strikes, **raw)
