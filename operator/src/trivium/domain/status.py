"""The status after a pass: the facts that were folded in, what the verdict records, and what it means for people.

Composed from scratch at every pass, so that a status says the same however the job got there. Nothing in it depends on
the clock unless something else changed with it: the second pass writes nothing.
"""

from datetime import datetime
from typing import assert_never

from trivium.api.failure_classes import FAILURE_POLICIES
from trivium.api.status import Attempt, JobStatus, Phase
from trivium.domain.conditions import Finding, merge_findings
from trivium.domain.findings import describe
from trivium.domain.restart import charge
from trivium.domain.run_layout import stage_output
from trivium.domain.situation import Situation, micro_batch_size, update, with_last_attempt, with_stage
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
    )


def _begin(situation: Situation, verdict: Begin) -> JobStatus:
    status, last, plan = situation.status, situation.last_attempt, verdict.plan
    number = 1 if last is None else last.number + 1
    stage = next(stage for stage in status.stages if stage.name == verdict.stage)
    step = stage.checkpoint.step if stage.checkpoint is not None else 0
    attempt = Attempt(
        number=number,
        stage=verdict.stage,
        ray_job=situation.planner.name_of_run(situation.job, stage=verdict.stage, number=number),
        started_at=situation.now,
        workers=plan.workers,
        gpus=plan.gpus,
        micro_batch_size=micro_batch_size(plan),
        first_step=step,
        last_step=step,
    )
    same_stage = last is not None and last.stage == verdict.stage
    status = with_stage(status, verdict.stage, state="Running", plan=plan)
    return update(
        status,
        stage=verdict.stage,
        plan=plan,
        checkpoint=stage.checkpoint,
        progress=status.progress if same_stage else None,
        attempts=(*status.attempts, attempt)[-_KEPT_ATTEMPTS:],
        started_at=status.started_at or situation.now,
        restarts=status.restarts + verdict.is_restart,
        suspend_requested_at=None,
    )


def _end(situation: Situation, verdict: End) -> JobStatus:
    attempt = situation.status.attempts[-1]
    held = max(0.0, (situation.now - attempt.started_at).total_seconds())
    status = with_last_attempt(
        situation.status, ended_at=situation.now, outcome=verdict.outcome, failure=verdict.failure
    )
    status = update(
        status,
        active_seconds=status.active_seconds + int(held),
        gpu_seconds=status.gpu_seconds + int(held) * attempt.gpus,
        suspend_requested_at=None,
    )
    if verdict.outcome == "Complete":
        return _complete_stage(situation, status, verdict)
    if verdict.failure is not None and FAILURE_POLICIES[verdict.failure.failure_class].counted:
        window = situation.job.spec.recovery.window_seconds
        budget = charge(status, attempt, window_seconds=window, now=situation.now)
        status = update(status, restart_budget=budget)
    return status


def _complete_stage(situation: Situation, status: JobStatus, verdict: End) -> JobStatus:
    name = status.attempts[-1].stage
    stage = next(stage for stage in status.stages if stage.name == name)
    if stage.plan is None:
        return with_stage(status, name, state="Succeeded")
    output = stage.output or stage_output(situation.job, stage.plan, stage=name, digest=verdict.digest)
    if status.progress is not None:
        evaluation = {key: value for key, value in status.progress.metrics.items() if key.startswith("eval_")}
        output = output.model_copy(update={"evaluation": evaluation})
    return with_stage(status, name, state="Succeeded", output=output)


def _finish(situation: Situation, verdict: Finish) -> JobStatus:
    status = update(situation.status, ended_at=situation.now, suspend_requested_at=None)
    if verdict.failure is None:
        return update(status, output=status.stages[-1].output)
    stage = situation.stage
    return status if stage is None else with_stage(status, stage.name, state="Failed")
