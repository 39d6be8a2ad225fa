"""The status after a pass: the facts that were folded in, what the verdict records, and what it means for people.

Composed from scratch at every pass, so that a status says the same however the job got there. Nothing in it depends on
the clock unless something else changed with it: the second pass writes nothing.
"""

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from trivium.api.plan_status import Plan
from trivium.api.status import Attempt, CheckpointStatus, JobStatus, Phase
from trivium.domain.budget import settle
from trivium.domain.conditions import Finding, merge_findings
from trivium.domain.excluded_nodes import exclude_node
from trivium.domain.findings import describe
from trivium.domain.next_attempt import next_attempt
from trivium.domain.pod_evidence import missing_workers
from trivium.domain.profile import resolve_profile
from trivium.domain.run_layout import checkpoint_uri, stage_output
from trivium.domain.situation import Situation, micro_batch_size, update, with_last_attempt, with_stage
from trivium.domain.time_spent import add_time, goodput, held_seconds, time_of, undo_steps
from trivium.domain.upstream import lineage_through
from trivium.domain.verdict import (
    Adopt,
    AdoptUpstream,
    Begin,
    End,
    Finish,
    Hold,
    Keep,
    Leave,
    RequestStop,
    Rerun,
    Rest,
    Sweep,
    Verdict,
)

_KEPT_ATTEMPTS = 10


def compose_status(situation: Situation, verdict: Verdict) -> JobStatus:
    """The whole status that the verdict asks for; the recorded one if it asks for nothing."""
    if isinstance(verdict, Leave | Rest):
        return situation.status
    status = update(_apply(situation, verdict), observed_generation=situation.job.metadata.generation)
    if isinstance(verdict, Sweep) and not verdict.message:
        # An interlude: what was said when the attempt ended holds until its remains are gone.
        return status
    phase, message, findings = describe(situation, verdict, status)
    return _say(status, phase, message, findings, generation=situation.job.metadata.generation, now=situation.now)


def refuse_spec(status: JobStatus, finding: Finding, *, generation: int, now: datetime) -> JobStatus:
    """The status of a job whose spec does not parse: nothing else is known of it, and nothing else changes."""
    phase = status.phase if status.attempts else Phase.PENDING
    status = update(status, observed_generation=generation)
    return _say(status, phase, finding.message, (finding,), generation=generation, now=now)


def _say(
    status: JobStatus, phase: Phase, message: str, findings: tuple[Finding, ...], *, generation: int, now: datetime
) -> JobStatus:
    conditions = merge_findings(status.conditions, findings, generation=generation, now=now)
    return update(status, phase=phase, message=message[:4096], conditions=conditions)


def _apply(situation: Situation, verdict: Verdict) -> JobStatus:  # noqa: PLR0911 one a verdict
    status = situation.status
    match verdict:
        case Leave() | Rest() | Sweep() | Keep() | Hold():
            return status
        case AdoptUpstream():
            return update(status, upstream=verdict.upstream, lineage=lineage_through(verdict.upstream))
        case Adopt():
            return _adopt(situation, verdict)
        case Begin():
            return _begin(situation, verdict)
        case Rerun():
            return _rerun(situation, verdict)
        case RequestStop():
            return update(status, suspend_requested_at=situation.now)
        case End():
            return _end(situation, verdict)
        case Finish():
            return _finish(situation, verdict)
        case _:
            assert_never(verdict)


def _adopt(situation: Situation, verdict: Adopt) -> JobStatus:
    current = next((stage for stage in verdict.stages if stage.state != "Succeeded"), verdict.stages[-1])
    return update(
        situation.status,
        stages=verdict.stages,
        stage=current.name,
        plan=current.plan,
        spec_digest=situation.status.spec_digest or situation.planner.spec_digest(situation.job),
        price_per_gpu_hour=situation.status.price_per_gpu_hour if situation.status.stages else _price(situation),
    )


def _price(situation: Situation) -> float | None:
    """Of the profile that training is planned on; a later price is not this job's."""
    profile = resolve_profile(situation, stage="train")
    return None if isinstance(profile, Hold) else profile.spec.price_per_gpu_hour


def _begin(situation: Situation, verdict: Begin) -> JobStatus:
    status, last, plan = situation.status, situation.last_attempt, verdict.plan
    number = 1 if last is None else last.number + 1
    checkpoint = _checkpoint_of_next(situation, verdict)
    step = checkpoint.step if checkpoint is not None else 0
    attempt = Attempt(
        number=number,
        stage=verdict.stage,
        ray_job=situation.planner.name_of_run(situation.job, stage=verdict.stage, number=number),
        run=number,
        queue=verdict.place.queue,
        priority=verdict.place.priority,
        queued=verdict.place.queue != "",
        started_at=situation.now,
        workers=verdict.workers,
        gpus=verdict.workers * plan.gpus_per_worker,
        micro_batch_size=micro_batch_size(plan, workers=verdict.workers),
        first_step=step,
        last_step=step,
    )
    same_stage = last is not None and last.stage == verdict.stage
    status = with_stage(status, verdict.stage, state="Running", plan=plan, checkpoint=checkpoint)
    return update(
        status,
        stage=verdict.stage,
        queue=verdict.place.queue,
        plan=plan,
        checkpoint=checkpoint,
        progress=status.progress if same_stage else None,
        attempts=(*status.attempts, attempt)[-_KEPT_ATTEMPTS:],
        started_at=status.started_at or situation.now,
        restarts=status.restarts + verdict.is_restart,
        skips=status.skips if verdict.skip is None else (*status.skips, verdict.skip),
        excluded_nodes=() if verdict.forgive_nodes else status.excluded_nodes,
        suspend_requested_at=None,
    )


def _rerun(situation: Situation, verdict: Rerun) -> JobStatus:
    """The attempt is over, and its successor waits with the same RayJob: one write, for the RayJob is never without a
    living attempt.
    """
    status = _end(situation, End(outcome="Failed", failure=verdict.failure))
    last = status.attempts[-1]
    step = status.checkpoint.step if status.checkpoint is not None else 0
    attempt = Attempt(
        number=last.number + 1,
        stage=last.stage,
        ray_job=last.ray_job,
        ray_job_uid=last.ray_job_uid,
        run=last.run or last.number,
        queue=last.queue,
        priority=last.priority,
        queued=True,
        started_at=last.ended_at or situation.now,
        workers=last.workers,
        gpus=last.gpus,
        micro_batch_size=last.micro_batch_size,
        first_step=step,
        last_step=step,
    )
    return update(status, attempts=(*status.attempts, attempt)[-_KEPT_ATTEMPTS:], restarts=status.restarts + 1)


def _checkpoint_of_next(situation: Situation, verdict: Begin) -> CheckpointStatus | None:
    """The checkpoint that the next attempt goes on from: the newest one, or the one that a rollback names."""
    stage = next(stage for stage in situation.status.stages if stage.name == verdict.stage)
    if verdict.skip is None or stage.checkpoint is None:
        return stage.checkpoint
    step = verdict.skip.rollback_to
    if step == 0:
        return None
    uri = checkpoint_uri(situation.job, verdict.plan.runs, stage=stage.name, step=step)
    kept = tuple(one for one in stage.checkpoint.kept if one <= step)
    return CheckpointStatus(step=step, uri=uri, at=situation.now, kept=kept)


def _end(situation: Situation, verdict: End) -> JobStatus:
    status, job = situation.status, situation.job
    ended_at = max(situation.now, status.attempts[-1].started_at)  # the clock may have jumped back
    status = with_last_attempt(
        status,
        ended_at=ended_at,
        outcome=verdict.outcome,
        failure=verdict.failure,
        missing_workers=missing_workers(situation.observation.evidence),
    )
    attempt = status.attempts[-1]
    held = held_seconds(attempt, until=ended_at)
    window = job.spec.recovery.window_seconds
    nodes = status.excluded_nodes
    status = update(
        status,
        restart_budget=settle(status.restart_budget, attempt, window_seconds=window, now=ended_at),
        excluded_nodes=exclude_node(nodes, verdict.failure, now=ended_at)
        if job.spec.recovery.exclude_failed_nodes
        else nodes,
        active_seconds=status.active_seconds + int(held),
        gpu_seconds=status.gpu_seconds + int(held) * attempt.gpus,
        seconds=_time_until(situation, status),
        suspend_requested_at=None,
    )
    status = update(status, goodput=goodput(status, until=ended_at), cost=_cost(status))
    return _complete_stage(situation, status, verdict) if verdict.outcome == "Complete" else status


def _time_until(situation: Situation, status: JobStatus) -> dict[str, float]:
    """status.seconds with the attempt that has just ended; steps that its successor repeats are no goodput."""
    attempt = status.attempts[-1]
    if attempt.stage != "train" or attempt.ended_at is None:
        return status.seconds
    parts = time_of(attempt, until=attempt.ended_at)
    if attempt.outcome != "Complete":
        parts = undo_steps(parts, attempt, resume_step=_resume_step(situation, status))
    return add_time(status.seconds, parts)


def _resume_step(situation: Situation, status: JobStatus) -> int:
    """Where the next attempt will go on."""
    after = replace(situation, status=status)
    change = next_attempt(after, status.plan) if status.plan is not None else ""
    if not isinstance(change, str) and change.skip is not None:
        return change.skip.rollback_to
    return status.checkpoint.step if status.checkpoint is not None else 0


def _cost(status: JobStatus) -> float | None:
    """Of the GPUs held so far, at the price of the day on which the job was planned."""
    price = status.price_per_gpu_hour
    return None if price is None else round(status.gpu_seconds / 3600 * price, 2)


def _complete_stage(situation: Situation, status: JobStatus, verdict: End) -> JobStatus:
    name = status.attempts[-1].stage
    stage = next(stage for stage in status.stages if stage.name == name)
    if stage.plan is None:
        return with_stage(status, name, state="Succeeded")
    output = stage.output or stage_output(situation.job, stage.plan, stage=name, digest=verdict.digest)
    if status.progress is not None:
        evaluation = {key: value for key, value in status.progress.metrics.items() if key.startswith("eval_")}
        output = output.model_copy(update={"evaluation": evaluation})
    plan = _with_outcome(situation, status, stage.plan) if name == "train" else stage.plan
    status = update(status, plan=plan if status.stage == name else status.plan)
    return with_stage(status, name, state="Succeeded", output=output, plan=plan)


def _with_outcome(situation: Situation, status: JobStatus, plan: Plan) -> Plan:
    """The plan beside what came of it, for the report and for whoever plans the next job of this shape."""
    outcome = situation.planner.measure_outcome(
        situation.job,
        status=status,
        plan=plan,
        profile=situation.observation.profiles.get(plan.profile),
        memory_bytes=max((one.memory_bytes for one in status.attempts if one.memory_bytes), default=None),
    )
    return plan if outcome is None else plan.model_copy(update={"outcome": outcome})


def _finish(situation: Situation, verdict: Finish) -> JobStatus:
    status = update(situation.status, ended_at=situation.now, suspend_requested_at=None)
    if verdict.failure is None:
        return update(status, output=status.stages[-1].output)
    stage = situation.stage
    return status if stage is None else with_stage(status, stage.name, state="Failed")
