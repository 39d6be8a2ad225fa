"""Every metric of the operator: name, kind, words, labels. docs/reference/metrics.md is generated from these.

No label holds what grows without end: no uid, step, message, rank. A job's name is only on gauges that are read from
the store at each scrape, and so end with the job. Counters know namespaces, at most MAX_NAMESPACES of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Literal

from trivium.api.failure_classes import FailureClass
from trivium.api.status import Phase
from trivium.domain.report import SECONDS_KINDS
from trivium.domain.time_spent import GOODPUT as GOODPUT_KIND
from trivium.store import JOB_KINDS

MAX_NAMESPACES = 1000
"""Counters keep a series for good; a cluster that makes a namespace for every build must not fill the memory."""
OTHER_NAMESPACES = "_other"
"""No namespace may be called so."""

_MINUTES = (1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 21_600.0, 86_400.0)
_MILLISECONDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One metric, by the name that Prometheus shows."""

    name: str
    type: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    """Upper bounds of a histogram, in seconds."""


def _counter(name: str, help_text: str, *labels: str) -> Family:
    return Family(name=f"trivium_{name}_total", type="counter", help=help_text, labels=labels)


def _histogram(name: str, help_text: str, *labels: str, buckets: tuple[float, ...] = _MINUTES) -> Family:
    return Family(name=f"trivium_{name}_seconds", type="histogram", help=help_text, labels=labels, buckets=buckets)


def _gauge(name: str, help_text: str, *labels: str) -> Family:
    return Family(name=f"trivium_{name}", type="gauge", help=help_text, labels=labels)


def _of_job(name: str, help_text: str) -> Family:
    return _gauge(name, help_text, "namespace", "kind", "name")


TRANSITIONS = _counter("job_transitions", "Changes of a job's phase.", "kind", "to")
REFUSALS = _counter("job_refusals", "Jobs that were found to be invalid, not to fit, or not allowed.", "kind", "reason")
ATTEMPTS_ENDED = _counter(
    "attempts_ended",
    "Attempts that ended. outcome: Complete, Stopped, or the failure class.",
    "kind",
    "stage",
    "outcome",
)
RESTARTS = _counter(
    "job_restarts",
    "Restarts. cause: the failure class of the attempt before; WorkersRestarted, or Preempted, inside an attempt.",
    "kind",
    "cause",
)
CHECKPOINTS = _counter("checkpoints", "Complete checkpoints that were seen in reports.", "kind")
GPU_SECONDS = _counter("gpu_seconds", "GPU-seconds that ended attempts held.", "namespace", "kind")
COST = _counter("cost", "Cost of these at the profile's price, in the platform's currency.", "namespace", "kind")
GOODPUT_SECONDS = _counter(
    "goodput_seconds", "Of the time of ended attempts, what moved training forward.", "namespace", "kind"
)
BADPUT_SECONDS = _counter(
    "badput_seconds",
    "Of the time of ended attempts, the rest. cause: start, download, prepare, compile, restore, save, evaluate, "
    "sample, finish, wasted (steps trained again), other.",
    "namespace",
    "kind",
    "cause",
)
RECONCILE_ERRORS = _counter("reconcile_errors", "Passes that failed, by the class of the error.", "error")
API_REQUESTS = _counter(
    "api_requests", "Requests to the API server. code: the HTTP status; 0: no answer in time.", "verb", "code"
)

QUEUE_WAIT = _histogram("queue_wait", "Time that an attempt waited for its quota.", "namespace", "kind")
START = _histogram("start", "Time from holding machines to the first report of an attempt.", "kind", "stage")
FIRST_STEP = _histogram(
    "time_to_first_step", "Time from a job's first attempt, queueing included, to its first step.", "kind"
)
RESTART = _histogram("restart", "Time from a failure to the first report of the attempt that goes on.", "kind", "cause")
DETECT = _histogram("detect", "Time from the last report of an attempt to its failure in status.", "cause")
CHECKPOINT_BLOCKED = _histogram(
    "checkpoint_blocked",
    "Time that one checkpoint kept training waiting: the mean of each finished stage.",
    "kind",
    buckets=(0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0),
)
RECONCILE = _histogram("reconcile", "Time that a pass took.", "kind", buckets=_MILLISECONDS)
EVENT_LAG = _histogram(
    "event_lag", "Time that a job that was to be looked at waited for its pass.", "kind", buckets=_MILLISECONDS
)

BUILD_INFO = _gauge("build_info", "1, with the version of the operator.", "version")
LEADER = _gauge("leader", "1 on the replica that holds the Lease and acts; 0 on a standby.")
WATCH_LAST_EVENT = _gauge("watch_last_event_timestamp_seconds", "When the last watch event of any kind came.")
CERTIFICATE_EXPIRY = _gauge(
    "certificate_expiry_timestamp_seconds",
    "When the certificate of the progress endpoint expires; absent while none is served.",
)

JOBS = _gauge("jobs", "Jobs that exist.", "namespace", "kind", "phase")
GPUS_HELD = _gauge("gpus_held", "GPUs that living attempts hold.", "namespace", "kind")

STEP = _of_job("step", "Optimizer steps done.")
PLANNED_STEPS = _of_job("planned_steps", "Optimizer steps of the stage in all.")
LOSS = _of_job("loss", "Training loss.")
GRAD_NORM = _of_job("grad_norm", "Norm of the gradients before clipping.")
TOKENS_PER_SECOND = _of_job("tokens_per_second", "Trained tokens per second.")
MFU = _of_job("mfu_ratio", "Model FLOPs utilization; absent where the profile names no peak.")
STEPPING = _of_job("stepping", "1 while the trainer says that it is training steps; 0 while it does something else.")
LAST_PROGRESS = _of_job("last_progress_timestamp_seconds", "When a report last showed progress.")
LAST_CHECKPOINT = _of_job(
    "last_checkpoint_timestamp_seconds",
    "When the newest complete checkpoint was seen, or training began, whichever is later.",
)
CHECKPOINT_INTERVAL = _of_job(
    "checkpoint_interval_seconds", "Time between checkpoints; absent where it is given in steps alone."
)
GOODPUT = _of_job("goodput_ratio", "Time that moved training forward, of the time that attempts held machines.")
IDLE_RESTARTS = _of_job("restarts_without_progress", "Failures in a row without a new step; preemptions are none.")
QUEUED_SINCE = _of_job("queued_since_timestamp_seconds", "Since when the attempt waits for quota.")
STARTING_SINCE = _of_job(
    "starting_since_timestamp_seconds", "Since when the attempt holds machines without a first report."
)

COUNTED: tuple[Family, ...] = (
    TRANSITIONS,
    REFUSALS,
    ATTEMPTS_ENDED,
    RESTARTS,
    CHECKPOINTS,
    GPU_SECONDS,
    COST,
    GOODPUT_SECONDS,
    BADPUT_SECONDS,
    RECONCILE_ERRORS,
    API_REQUESTS,
    QUEUE_WAIT,
    START,
    FIRST_STEP,
    RESTART,
    DETECT,
    CHECKPOINT_BLOCKED,
    RECONCILE,
    EVENT_LAG,
)
"""Counters and histograms, from differences between statuses and from passes; by the acting replica."""
PER_PROCESS: tuple[Family, ...] = (BUILD_INFO, LEADER, WATCH_LAST_EVENT, CERTIFICATE_EXPIRY)
"""Of every replica."""
AGGREGATED: tuple[Family, ...] = (JOBS, GPUS_HELD)
PER_JOB: tuple[Family, ...] = (
    STEP,
    PLANNED_STEPS,
    LOSS,
    GRAD_NORM,
    TOKENS_PER_SECOND,
    MFU,
    STEPPING,
    LAST_PROGRESS,
    LAST_CHECKPOINT,
    CHECKPOINT_INTERVAL,
    GOODPUT,
    IDLE_RESTARTS,
    QUEUED_SINCE,
    STARTING_SINCE,
)
"""Of jobs that are not over; by the acting replica alone, gone with the job."""
ALL_FAMILIES = (*COUNTED, *PER_PROCESS, *AGGREGATED, *PER_JOB)

INSIDE = "WorkersRestarted"
"""Cause of a restart inside an attempt: its class is known only if the attempt fails of it."""
_BADPUT_CAUSES = tuple(sorted({*SECONDS_KINDS, "other"} - {GOODPUT_KIND}))
Series = tuple[Family, tuple[str, ...]]
KNOWN_SERIES: tuple[Series, ...] = (
    *((TRANSITIONS, labels) for labels in product(JOB_KINDS, Phase)),
    *((RESTARTS, labels) for labels in product(JOB_KINDS, (*FailureClass, INSIDE))),
    *((ATTEMPTS_ENDED, x) for x in product(JOB_KINDS, ("prepare", "train"), (*FailureClass, "Complete", "Stopped"))),
    *((CHECKPOINTS, (kind,)) for kind in JOB_KINDS),
)
"""Counters that are there from the beginning, at 0."""


def series_of_namespace(namespace: str, kind: str) -> Iterator[Series]:
    """Counters that are there, at 0, from a namespace's first job on."""
    for family in (GPU_SECONDS, COST, GOODPUT_SECONDS):
        yield family, (namespace, kind)
    for cause in _BADPUT_CAUSES:
        yield BADPUT_SECONDS, (namespace, kind, cause)
