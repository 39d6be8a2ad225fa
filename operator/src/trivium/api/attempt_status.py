"""The status of one attempt: how it runs, how it ended, and what the next ones have to know of that."""

from typing import Annotated, Literal

from pydantic import Field

from trivium.api.block import Count, Line, NodeName, StatusBlock, Timestamp, Word
from trivium.api.failure_classes import FailureClass
from trivium.api.plan_status import Estimate

SecondsByKind = Annotated[dict[Word, Estimate], Field(max_length=16)]
StageName = Literal["prepare", "train"]


class Failure(StatusBlock):
    """Why an attempt ended."""

    failure_class: FailureClass = Field(alias="class")
    """The class decides whether there is another attempt."""
    reason: Word
    """One word in PascalCase, stable."""
    message: Line
    """What happened."""
    remedy: Line = ""
    """What you can do about it."""
    node: NodeName | None = None
    """Node of the pod that failed."""
    rank: int | None = None
    """Rank that failed."""
    exit_code: int | None = None
    """Exit code of its process."""
    step: Count | None = None
    """The optimizer step that failed, if it was one step's fault."""
    data_step: Count | None = None
    """The same step in the data stream: later by what was left out before it."""


class Skip(StatusBlock):
    """Batches that training leaves out after a divergence. A checkpoint is used only if it was written with this skip
    in force, or lies at `rollbackTo` or before.
    """

    data_step: Count
    """The first step of the data stream that is left out."""
    steps: Count
    """How many are left out; the last one is the one that diverged."""
    rollback_to: Count
    """The checkpoint that training goes on from; 0: the beginning."""
    at: Timestamp
    """When it was decided."""


class ExcludedNode(StatusBlock):
    """A node that failed an attempt; the next ones keep away from it."""

    node: NodeName
    """Its name."""
    reason: Word
    """Reason of the failure."""
    since: Timestamp
    """When that attempt ended."""


class Attempt(StatusBlock):
    """One Ray cluster that runs one stage."""

    number: Count
    """Counts up over the life of the job."""
    stage: StageName
    """The stage it runs."""
    ray_job: Word
    """Name of its RayJob."""
    ray_job_uid: Word = ""
    """uid of its RayJob; empty until it was seen."""
    ray_cluster: Word = ""
    """Name of its RayCluster; empty until KubeRay has named it."""
    run: Count = 0
    """Number at the end of its RayJob's name. Several attempts share a RayJob that its queue took the quota from."""
    queue: Word = ""
    """LocalQueue that it waits in; empty: none."""
    priority: Word = ""
    """WorkloadPriorityClass that it has there."""
    started_at: Timestamp
    """When it was decided."""
    queued: bool = False
    """Whether it had to wait for quota."""
    admitted_at: Timestamp | None = None
    """When it got the quota that it waited for; it holds machines from here on."""
    running_at: Timestamp | None = None
    """When its first report came."""
    ended_at: Timestamp | None = None
    """When its end was seen."""
    workers: Count = 0
    """Worker pods."""
    gpus: Count = 0
    """GPUs held."""
    micro_batch_size: Count = 0
    """Sequences per forward pass on one rank."""
    first_step: Count = 0
    """The step it went on from."""
    last_step: Count = 0
    """The last step it reported."""
    restarts: Count = 0
    """Restarts inside it, preemptions among them."""
    preemptions: Count = 0
    """Those of its restarts that were preemptions; they cost nothing of the budget."""
    idle_restarts: Count = 0
    """Those of its restarts, without preemptions, since its last new checkpoint."""
    memory_bytes: Count | None = None
    """Largest peak of a rank, as the trainer measured it."""
    missing_workers: Count = 0
    """Worker pods for which there was no room when it ended."""
    seconds: SecondsByKind = {}
    """What its time went into, as the trainer says."""
    outcome: Literal["Complete", "Failed", "Stopped"] | None = None
    """Absent while it lives. Stopped: by command, for a suspension."""
    failure: Failure | None = None
    """Why it failed."""
