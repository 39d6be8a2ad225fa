"""The status of a job: the same for the three kinds, written by the operator alone. Of its attempts: attempt_status."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from trivium.api.attempt_status import Attempt, ExcludedNode, Failure, SecondsByKind, Skip, StageName
from trivium.api.block import Count, Line, ListMap, StatusBlock, SubdomainName, Text, Timestamp, Word
from trivium.api.conditions import Condition
from trivium.api.inspection import Inspection
from trivium.api.plan_status import Estimate, Plan
from trivium.api.recovery import MAX_ROLLBACKS

__all__ = [
    "Attempt",
    "CheckpointStatus",
    "ExcludedNode",
    "Failure",
    "JobStatus",
    "LineageEntry",
    "Output",
    "Phase",
    "Progress",
    "RestartBudget",
    "Skip",
    "StageName",
    "StageStatus",
    "UpstreamStatus",
]

Place = Annotated[str, Field(max_length=1024)]
Metrics = Annotated[
    dict[Annotated[str, Field(max_length=63, pattern=r"^[a-z][a-z0-9_]*$")], float], Field(max_length=64)
]


class Phase(StrEnum):
    """Derived from the conditions, for people; no code reads it."""

    PENDING = "Pending"
    WAITING = "Waiting"
    QUEUED = "Queued"
    PREPARING = "Preparing"
    STARTING = "Starting"
    RUNNING = "Running"
    SUSPENDING = "Suspending"
    SUSPENDED = "Suspended"
    RESTARTING = "Restarting"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


class CheckpointStatus(StatusBlock):
    """The newest complete checkpoint."""

    step: Count
    """Optimizer steps it contains."""
    uri: Place
    """Where it lies."""
    at: Timestamp
    """When it became the newest."""
    kept: Annotated[tuple[Count, ...], Field(max_length=100)] = ()
    """Steps of all complete checkpoints that are kept, oldest first; a rollback goes to the last but one."""


class Output(StatusBlock):
    """What a stage left behind."""

    uri: Place
    """The model: merged, loadable."""
    path: Place = ""
    """The same, relative to the root of the runs storage."""
    digest: Word = ""
    """Digest of the model."""
    adapter_uri: Place | None = None
    """The adapter, if one was trained."""
    report_uri: Place | None = None
    """The report."""
    evaluation: Metrics = {}
    """Final held-out losses and metrics."""


class Progress(StatusBlock):
    """What the trainer last said."""

    step: Count = 0
    """Optimizer steps done."""
    total_steps: Count = 0
    """Optimizer steps in all."""
    epoch: float = 0.0
    """Passes over the first source."""
    tokens: Count = 0
    """Trained tokens, over all attempts."""
    percent: Annotated[int, Field(ge=0, le=100)] = 0
    """Steps done, of all."""
    loss: float | None = None
    """Training loss, four digits."""
    tokens_per_second: float | None = None
    """Trained tokens per second."""
    mfu: float | None = None
    """Model FLOPs utilization."""
    eta: Word | None = None
    """Time left, e.g. `1h30m`."""
    activity: Word = ""
    """What it is doing: download, prepare, compile, step, save, evaluate, sample."""
    message: Line = ""
    """The trainer's own words."""
    updated_at: Timestamp | None = None
    """When the last report came."""
    metrics: Metrics = {}
    """More numbers, by name."""


class StageStatus(StatusBlock):
    """One stage."""

    name: StageName
    """The stage."""
    state: Literal["Pending", "Running", "Succeeded", "Failed"] = "Pending"
    """Where it is."""
    plan: Plan | None = None
    """How it runs."""
    checkpoint: CheckpointStatus | None = None
    """Its newest complete checkpoint."""
    output: Output | None = None
    """What it left behind."""
    restarts: Count = 0
    """Restarts inside its attempts that the budget was charged for."""


class LineageEntry(StatusBlock):
    """One job that the model went through."""

    kind: Word
    """Kind of the job."""
    name: SubdomainName
    """Name of the job."""
    uid: Word
    """uid of the job."""
    digest: Word | None = None
    """Digest of the model it wrote."""


class UpstreamStatus(StatusBlock):
    """The job named by model.from.job, as it was when it was found ready; it may be deleted since."""

    kind: Word
    """Kind of the job."""
    name: SubdomainName
    """Name of the job."""
    uid: Word
    """uid of the job."""
    claim_name: Word
    """Claim that holds its run directory."""
    path: Place = ""
    """Folder inside the claim that is the root of the runs; empty: the claim's root."""
    output_path: Place
    """The model, relative to the root of the runs."""
    run_path: Place
    """The run directory, relative to the root of the runs."""
    digest: Word = ""
    """Digest of the model."""
    lineage: Annotated[tuple[LineageEntry, ...], Field(max_length=32)] = ()
    """What the model went through before that job."""


class RestartBudget(StatusBlock):
    """How much of recovery.maxRestarts is spent."""

    spent: Count = 0
    """Restarts that counted since the budget was last full."""
    last_failure_at: Timestamp | None = None
    """When the last counted failure was seen."""
    healthy_seconds: Estimate = 0.0
    """Time of attempts that made progress since then, without the living one; at recovery.windowSeconds the budget is
    full again.
    """


class JobStatus(StatusBlock):
    """What the operator knows of a job."""

    observed_generation: Annotated[int, Field(ge=0)] = 0
    """Generation of the spec that this status was concluded from."""
    queue: Word = ""
    """LocalQueue of the current attempt; empty: none."""
    phase: Phase = Phase.PENDING
    """Where the job is, for people. Tools read the conditions."""
    stage: StageName | None = None
    """The current stage. plan, checkpoint and output below mirror it."""
    stages: Annotated[tuple[StageStatus, ...], Field(max_length=8), ListMap("name")] = ()
    """Every stage of the job, in order."""
    conditions: Annotated[tuple[Condition, ...], Field(max_length=16), ListMap("type")] = ()
    """Accepted, Planned, UpstreamReady, QuotaReserved, Running, Suspended, Restarting, Succeeded, Failed."""
    spec_digest: Word = ""
    """SHA-256 of the immutable part of the spec; the run directory carries it too."""
    upstream: UpstreamStatus | None = None
    """The job that this one starts from."""
    inspection: Inspection | None = None
    """What the stage prepare saw."""
    plan: Plan | None = None
    """How the current stage runs. From here on the spec is immutable, except where a field says otherwise."""
    progress: Progress | None = None
    """What the trainer last said."""
    checkpoint: CheckpointStatus | None = None
    """The newest complete checkpoint."""
    attempts: Annotated[tuple[Attempt, ...], Field(max_length=10)] = ()
    """The last ten attempts, oldest first."""
    restarts: Count = 0
    """Restarts so far, inside attempts and by new ones."""
    restart_budget: RestartBudget = RestartBudget()
    """How much of recovery.maxRestarts is spent."""
    skips: Annotated[tuple[Skip, ...], Field(max_length=MAX_ROLLBACKS)] = ()
    """Batches that are left out because training diverged on them, in the order of the decisions."""
    excluded_nodes: Annotated[tuple[ExcludedNode, ...], Field(max_length=16), ListMap("node")] = ()
    """Nodes that attempts keep away from, oldest first; lifted when there is no room elsewhere."""
    suspend_requested_at: Timestamp | None = None
    """When the running attempt was told to save and stop."""
    started_at: Timestamp | None = None
    """When the first attempt was decided."""
    ended_at: Timestamp | None = None
    """When the job succeeded or failed."""
    active_seconds: Estimate = 0.0
    """Time of all attempts that have ended, for activeDeadlineSeconds."""
    goodput: Annotated[float, Field(ge=0, le=1)] | None = None
    """Seconds that moved training forward, of the seconds that attempts held machines."""
    seconds: SecondsByKind = {}
    """Where the time of the attempts that trained went: step is goodput, all else is badput. start: from the decision
    to the first report; download, prepare, compile, restore, save, evaluate, sample, finish: what the trainer did
    instead of steps; wasted: steps trained again after a restart; other: the rest, the end of an attempt among it.
    """
    gpu_seconds: Estimate = 0.0
    """GPU-seconds held by attempts that have ended."""
    price_per_gpu_hour: Estimate | None = Field(default=None, alias="pricePerGPUHour")
    """Price when the job was planned, in the platform's currency."""
    cost: Estimate | None = None
    """gpuSeconds at that price."""
    output: Output | None = None
    """What the last stage left behind."""
    lineage: Annotated[tuple[LineageEntry, ...], Field(max_length=32)] = ()
    """Every job that this model went through, oldest first."""
    message: Text = ""
    """The most important thing to know now, in one or two sentences."""
