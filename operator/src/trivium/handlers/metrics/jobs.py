"""What the store says of each job now, as gauges: read anew at every scrape, so a job's series end with the job.

Raw manifests, because a thousand models would take the loop longer than a scrape may; the finer values of the newest
report come before those that status shows.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from trivium.domain.report import ReportSnapshot
from trivium.handlers.metrics import families as f
from trivium.ports import Manifest
from trivium.store import JOB_KINDS, Store, is_final, uid_of


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFigures:
    """One job at one moment."""

    namespace: str
    kind: str
    name: str
    phase: str
    gpus: int
    """GPUs that its attempt holds now."""
    values: Mapping[str, float]
    """Value by the name of its family; only of families.PER_JOB, and only what is known."""


def read_jobs(store: Store) -> tuple[JobFigures, ...]:
    """Every job of the store. Call it on the store's loop."""
    return tuple(_read_job(manifest, store) for manifest in store.of_kind(*JOB_KINDS))


def _read_job(manifest: Manifest, store: Store) -> JobFigures:
    status: Mapping[str, Any] = manifest.get("status") or {}
    attempts = status.get("attempts") or ()
    living = attempts[-1] if attempts and not attempts[-1].get("endedAt") else None
    snapshot = None if living is None else store.report_of(uid_of(manifest), living["number"])
    values = {} if is_final(manifest) else dict(_values(manifest, status, living, snapshot))
    return JobFigures(
        namespace=str(manifest["metadata"].get("namespace") or ""),
        kind=manifest["kind"],
        name=manifest["metadata"]["name"],
        phase=status.get("phase") or "Pending",
        gpus=int(living.get("gpus") or 0) if living is not None and _held_since(living) is not None else 0,
        values={family.name: value for family, value in values.items() if value is not None},
    )


_Values = Iterator[tuple[f.Family, float | None]]


def _values(
    manifest: Manifest, status: Mapping[str, Any], living: Mapping[str, Any] | None, snapshot: ReportSnapshot | None
) -> _Values:
    yield f.GOODPUT, status.get("goodput")
    if status.get("attempts"):
        yield f.IDLE_RESTARTS, _idle_restarts(status["attempts"])
    if living is None:
        return
    if living.get("runningAt"):
        yield from _progress(status, living, snapshot)
        yield from _checkpoints(manifest, status, living)
    elif (since := _held_since(living)) is not None:
        yield f.STARTING_SINCE, since
    else:
        yield f.QUEUED_SINCE, _timestamp(living["startedAt"])


def _progress(status: Mapping[str, Any], living: Mapping[str, Any], snapshot: ReportSnapshot | None) -> _Values:
    shown: Mapping[str, Any] = status.get("progress") or {}
    report = snapshot.report if snapshot is not None else None
    metrics: Mapping[str, float] = report.metrics if report is not None else shown.get("metrics") or {}
    activity = report.activity if report is not None else shown.get("activity")
    yield f.STEP, report.step if report is not None else shown.get("step")
    yield f.PLANNED_STEPS, (report.total_steps if report is not None else 0) or shown.get("totalSteps")
    yield f.LOSS, report.loss if report is not None else shown.get("loss")
    yield f.GRAD_NORM, metrics.get("grad_norm")
    yield f.TOKENS_PER_SECOND, report.tokens_per_second if report is not None else shown.get("tokensPerSecond")
    yield f.MFU, shown.get("mfu")
    yield f.STEPPING, float(activity == "step")
    if snapshot is not None:
        yield f.LAST_PROGRESS, snapshot.advanced_at.timestamp()
    else:
        yield f.LAST_PROGRESS, max(_timestamp(living["runningAt"]), _timestamp(shown.get("updatedAt")))


def _checkpoints(manifest: Manifest, status: Mapping[str, Any], living: Mapping[str, Any]) -> _Values:
    if living.get("stage") != "train":
        return
    checkpoint: Mapping[str, Any] = status.get("checkpoint") or {}
    # An attempt that has just begun is not late with its first one.
    yield f.LAST_CHECKPOINT, max(_timestamp(living["runningAt"]), _timestamp(checkpoint.get("at")))
    yield f.CHECKPOINT_INTERVAL, _checkpoint_interval(manifest, status)


def _checkpoint_interval(manifest: Manifest, status: Mapping[str, Any]) -> float | None:
    every: Any = manifest.get("spec") or {}
    for part in ("storage", "checkpoints", "every"):
        every = every.get(part) or {}
    if every.get("minutes"):
        return float(every["minutes"]) * 60
    plan: Mapping[str, Any] = status.get("plan") or {}
    return None if every.get("steps") else plan.get("checkpointSeconds")


def _idle_restarts(attempts: Iterable[Mapping[str, Any]]) -> float:
    """Failures since the last attempt that came further, and those inside the living one since its last checkpoint."""
    count = 0
    for attempt in attempts:
        failure = attempt.get("failure")
        if (attempt.get("lastStep") or 0) > (attempt.get("firstStep") or 0):
            count = 0
        if failure is not None and failure.get("class") != "Preempted":
            count += 1
        elif not attempt.get("endedAt"):
            count += attempt.get("idleRestarts") or 0
        else:
            count = 0 if attempt.get("outcome") == "Complete" else count
    return float(count)


def _held_since(attempt: Mapping[str, Any]) -> float | None:
    """As domain.time_spent.held_since, of a raw attempt."""
    since = attempt.get("admittedAt") if attempt.get("queued") else attempt.get("startedAt")
    return None if since is None else _timestamp(since)


def _timestamp(text: str | None) -> float:
    return 0.0 if text is None else datetime.fromisoformat(text).timestamp()


class JobCollector(Collector):
    """The gauges of one scrape."""

    def __init__(self, jobs: Iterable[JobFigures]) -> None:
        self._jobs = tuple(jobs)

    def collect(self) -> Iterator[Metric]:
        """Asked by prometheus_client's exposition."""
        yield from self._sums()
        for family in f.PER_JOB:
            gauge = GaugeMetricFamily(family.name, family.help, labels=family.labels)
            for job in self._jobs:
                if family.name in job.values:
                    gauge.add_metric((job.namespace, job.kind, job.name), job.values[family.name])
            if gauge.samples:
                yield gauge

    def _sums(self) -> Iterator[Metric]:
        count: dict[tuple[str, ...], int] = {}
        gpus: dict[tuple[str, ...], int] = {}
        for job in self._jobs:
            place = (job.namespace, job.kind)
            count[*place, job.phase] = count.get((*place, job.phase), 0) + 1
            gpus[place] = gpus.get(place, 0) + job.gpus
        for family, sums in ((f.JOBS, count), (f.GPUS_HELD, gpus)):
            gauge = GaugeMetricFamily(family.name, family.help, labels=family.labels)
            for labels, value in sorted(sums.items()):
                gauge.add_metric(labels, value)
            yield gauge
