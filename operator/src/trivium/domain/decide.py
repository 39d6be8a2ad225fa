"""The decision of one pass: an ordered chain of policies, then the status that the first verdict asks for.

    (job, observation, now) ──fold facts──> Situation ──first verdict of the chain──> Decision

The order is the meaning: what comes first wins. Nothing is done in the pass that records it: `reconcile` acts on a
decision only when its status is the recorded one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from trivium.api import ComputeProfile, Job
from trivium.api.inspection import Inspection
from trivium.api.plan_status import Plan
from trivium.api.status import JobStatus, LineageEntry, Skip, StageName, UpstreamStatus
from trivium.domain.attempt_facts import fold_facts
from trivium.domain.deletion import judge_deletion
from trivium.domain.ended import judge_ended, last_word_due_at
from trivium.domain.leftovers import judge_leftovers
from trivium.domain.observation import Observation, RayJobSeen
from trivium.domain.profile import judge_unmade, resolve_profile
from trivium.domain.progression import judge_begin, judge_completion, judge_living, judge_suspended, progress_at
from trivium.domain.queueing import judge_moved, judge_never_admitted, judge_requeued, workload_due_at
from trivium.domain.restart import judge_backoff, judge_final_failure
from trivium.domain.retention import judge_rest
from trivium.domain.silence import judge_silence, silence_due_at
from trivium.domain.situation import Limits, Planner, Situation
from trivium.domain.stage_plans import judge_plan
from trivium.domain.standstill import judge_standstill
from trivium.domain.start_deadline import judge_start_deadline, start_deadline_at
from trivium.domain.start_trouble import judge_start_trouble, start_due_at, start_trouble_at
from trivium.domain.status import compose_status
from trivium.domain.stop import active_deadline_at, judge_stop, stop_due_at
from trivium.domain.upstream import judge_upstream
from trivium.domain.verdict import Hold, Keep, Leave, RequestStop, Rest, Sweep, Verdict

CHAIN: tuple[Callable[[Situation], Verdict | None], ...] = (
    judge_deletion,
    judge_rest,
    judge_leftovers,
    # An attempt lives.
    judge_ended,
    judge_stop,
    judge_requeued,
    judge_never_admitted,
    judge_moved,
    judge_start_deadline,
    judge_start_trouble,
    judge_silence,
    judge_standstill,
    judge_unmade,
    judge_living,
    # None does.
    judge_completion,
    judge_final_failure,
    judge_suspended,
    judge_backoff,
    judge_upstream,
    judge_plan,
    judge_begin,
)
ALARMS: tuple[Callable[[Situation], datetime | None], ...] = (
    progress_at,
    last_word_due_at,
    stop_due_at,
    workload_due_at,
    active_deadline_at,
    start_deadline_at,
    start_trouble_at,
    start_due_at,
    silence_due_at,
)
"""When one of the policies above would say something else although nothing happened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunToMake:
    """The living attempt, with all that render needs to make its children."""

    job: Job
    stage: StageName
    number: int
    """Of the run: it names the children."""
    plan: Plan
    profile: ComputeProfile
    inspection: Inspection | None
    upstream: UpstreamStatus | None
    lineage: tuple[LineageEntry, ...]
    skips: tuple[Skip, ...] = ()
    queue: str = ""
    priority: str = ""
    excluded_nodes: tuple[str, ...] = ()
    """Names of nodes that the attempt's pods keep away from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to record; once it is recorded, what to do; and when to look again."""

    verdict: Verdict
    status: JobStatus
    run: RunToMake | None = None
    """The attempt whose children should exist; None: no children are made."""
    ray_jobs_to_delete: tuple[RayJobSeen, ...] = ()
    delete_job: bool = False
    prune: bool = False
    """Whether children of attempts that are over may go."""
    next_look: datetime | None = None


def decide(
    job: Job, observation: Observation, *, now: datetime, planner: Planner, limits: Limits | None = None
) -> Decision:
    """Pure. The same arguments give the same decision, and a decision that is recorded decides the same again."""
    limits = limits or Limits()
    now = now.replace(microsecond=0)
    recorded = job.status or JobStatus()
    situation = Situation(
        job=job,
        status=fold_facts(recorded, job=job, observation=observation, now=now, interval=limits.progress_interval),
        observation=observation,
        planner=planner,
        limits=limits,
        now=now,
    )
    verdict = next(verdict for judge in CHAIN if (verdict := judge(situation)) is not None)
    return Decision(
        verdict=verdict,
        status=compose_status(situation, verdict),
        run=_run_to_make(situation, verdict),
        ray_jobs_to_delete=_doomed(situation, verdict),
        delete_job=isinstance(verdict, Rest) and verdict.expires_at is not None and verdict.expires_at <= now,
        prune=not isinstance(verdict, Leave | Sweep),
        next_look=_next_look(situation, verdict),
    )


def _run_to_make(situation: Situation, verdict: Verdict) -> RunToMake | None:
    attempt = situation.living
    if attempt is None or not isinstance(verdict, Keep | RequestStop):
        return None
    profile = resolve_profile(situation, stage=attempt.stage)
    plan = next((stage.plan for stage in situation.status.stages if stage.name == attempt.stage), None)
    if isinstance(profile, Hold) or plan is None:
        return None  # the RayJob is there already (judge_unmade), and needs nothing more of the profile
    return RunToMake(
        job=situation.job,
        stage=attempt.stage,
        number=attempt.run or attempt.number,
        plan=plan.model_copy(update={"workers": attempt.workers, "gpus": attempt.gpus}),
        profile=profile,
        inspection=situation.status.inspection,
        upstream=situation.status.upstream,
        lineage=situation.status.lineage,
        skips=situation.status.skips if attempt.stage == "train" else (),
        queue=attempt.queue,
        priority=attempt.priority,
        excluded_nodes=_excluded(situation),
    )


def _excluded(situation: Situation) -> tuple[str, ...]:
    wanted = situation.job.spec.recovery.exclude_failed_nodes
    return tuple(one.node for one in situation.status.excluded_nodes) if wanted else ()


def _doomed(situation: Situation, verdict: Verdict) -> tuple[RayJobSeen, ...]:
    """RayJobs to delete: all that no living attempt accounts for."""
    if not isinstance(verdict, Sweep | Rest):
        return ()
    seen, current = situation.observation.others, situation.observation.current
    if current is not None and situation.living is None:
        seen = (*seen, current)
    return tuple(one for one in seen if one.deleting_since is None)


def _next_look(situation: Situation, verdict: Verdict) -> datetime | None:
    times = [alarm(situation) for alarm in ALARMS] if not isinstance(verdict, Leave | Rest) else []
    times.append(getattr(verdict, "until", None) or getattr(verdict, "expires_at", None))
    return min((time for time in times if time is not None and time > situation.now), default=None)
