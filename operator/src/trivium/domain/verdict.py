"""What a policy may conclude: a small sum type. `status.py` says what each means for the status, `decide.py` for the
cluster.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from trivium.api.conditions import ConditionType
from trivium.api.plan_status import Plan
from trivium.api.status import Failure, Phase, Skip, StageName, StageStatus, UpstreamStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePlace:
    """A Kueue LocalQueue and the priority in it; both empty: no queue."""

    queue: str = ""
    priority: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """Touch nothing: the job is being deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """The living attempt goes on; its children exist."""

    until: datetime | None = None
    """When to look again, if nothing happens before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """No attempt for now; `condition` says why."""

    phase: Phase
    condition: ConditionType
    status: Literal["True", "False"]
    reason: str
    message: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptUpstream:
    """The upstream is ready: copy what we need of it, for it may be deleted before we start."""

    upstream: UpstreamStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopt:
    """Record the plan of the stages; nothing starts from a plan that is not in status."""

    stages: tuple[StageStatus, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """Record a new attempt; its children are created when status shows it."""

    stage: StageName
    plan: Plan
    workers: int
    """Fewer than the plan's where the platform could not give them all."""
    is_restart: bool
    """Training goes on after a failure or a preemption, not after a suspension."""
    place: QueuePlace
    """Where it waits for quota."""
    skip: Skip | None = None
    """Data that is left out from now on; the attempt goes on from the checkpoint that this names."""
    forgive_nodes: bool = False
    """Excluded nodes may be used again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rerun:
    """The queue took the quota back and will run the same RayJob again: the attempt is over, its successor waits."""

    failure: Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestStop:
    """Have the trainer told to save and stop, in the answer to its next report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The living attempt is over: record how, before anything of it is deleted."""

    outcome: Literal["Complete", "Failed", "Stopped"]
    failure: Failure | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """RayJobs without a living attempt are still there: delete them and wait until they are gone."""

    message: str = ""
    """What to say where that takes too long."""
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """The job is over, for good."""

    failure: Failure | None = None
    """None: it succeeded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """The job was over before; clean up, and delete it when its time to live is up."""

    expires_at: datetime | None = None


Verdict = Leave | Keep | Hold | AdoptUpstream | Adopt | Begin | Rerun | RequestStop | End | Sweep | Finish | Rest
