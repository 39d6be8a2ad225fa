"""What a verdict means for people: the phase, the one sentence that matters, and the conditions. Total functions."""

from dataclasses import replace
from typing import assert_never

from trivium.api.conditions import ConditionType, Reason
from trivium.api.status import Attempt, JobStatus, Phase
from trivium.domain.conditions import Finding
from trivium.domain.queue_words import describe_wait, find_quota
from trivium.domain.ray_job_state import AttemptState
from trivium.domain.restart import judge_final_failure
from trivium.domain.situation import Situation
from trivium.domain.upstream import judge_upstream, upstream_reference
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

Told = tuple[Phase, str, tuple[Finding, ...]]


def describe(situation: Situation, verdict: Verdict, status: JobStatus) -> Told:
    """Phase, message and findings of a pass. `status` is the one that is being composed."""
    phase, message, specific = _of_verdict(situation, verdict, status)
    findings = {finding.type: finding for finding in (*_standing(situation, status), *specific)}
    return phase, message, tuple(findings.values())


def _of_verdict(situation: Situation, verdict: Verdict, status: JobStatus) -> Told:  # noqa: PLR0911 one a verdict
    match verdict:
        case Keep() | RequestStop():
            return _living(situation, status)
        case Hold():
            return _held(verdict, status)
        case AdoptUpstream() | Adopt():
            return Phase.PENDING if not status.attempts else status.phase, "Planned.", ()
        case Begin():
            return _begun(status)
        case Rerun():
            return _requeued(situation, status)
        case End():
            return _ended(situation, status)
        case Finish():
            return _finished(verdict, status)
        case Sweep():
            return status.phase, verdict.message, (_not_running(Reason.DELETED, verdict.message),)
        case Leave() | Rest():
            return status.phase, status.message, ()
        case _:
            assert_never(verdict)


def _standing(situation: Situation, status: JobStatus) -> tuple[Finding, ...]:
    """What is true of a job whatever happens now."""
    findings = [Finding(type=ConditionType.ACCEPTED, status="True", reason=Reason.VALID), _upstream(situation, status)]
    train = next((stage.plan for stage in status.stages if stage.name == "train"), None)
    if train is not None:
        reason = Reason.PROVISIONAL if train.provisional else Reason.FITS
        findings.append(
            Finding(type=ConditionType.PLANNED, status="True", reason=reason, message=" ".join(train.notes))
        )
    return (*findings, *find_quota(situation, status))


def _upstream(situation: Situation, status: JobStatus) -> Finding:
    kind, adopted = ConditionType.UPSTREAM_READY, status.upstream
    if upstream_reference(situation) is None:
        return Finding(type=kind, status="True", reason=Reason.NO_UPSTREAM)
    waits = judge_upstream(situation) if adopted is None else None
    if isinstance(waits, Hold):
        return Finding(type=kind, status="False", reason=waits.reason, message=waits.message)
    upstream = waits.upstream if isinstance(waits, AdoptUpstream) else adopted
    assert upstream is not None, "it is adopted, or ready to be"
    message = f"Starts from {upstream.kind} {upstream.name}."
    return Finding(type=kind, status="True", reason=Reason.UPSTREAM_SUCCEEDED, message=message)


def _not_running(reason: str, message: str = "") -> Finding:
    return Finding(type=ConditionType.RUNNING, status="False", reason=reason, message=message)


def _known_false(status: JobStatus, kind: ConditionType, reason: Reason) -> tuple[Finding, ...]:
    """A condition that was once there is answered; one that never was stays away: few conditions, all meaningful."""
    known = any(condition.type == kind for condition in status.conditions)
    return (Finding(type=kind, status="False", reason=reason),) if known else ()


def _resumed(status: JobStatus) -> tuple[Finding, ...]:
    return (
        *_known_false(status, ConditionType.SUSPENDED, Reason.RESUMED),
        *_known_false(status, ConditionType.RESTARTING, Reason.RESUMED),
    )


def _living(situation: Situation, status: JobStatus) -> Told:
    attempt = status.attempts[-1]
    if status.suspend_requested_at is not None:
        message = f"Attempt {attempt.number} was told to save a checkpoint and stop."
        suspended = Finding(type=ConditionType.SUSPENDED, status="False", reason=Reason.CHECKPOINTING, message=message)
        return Phase.SUSPENDING, message, (_not_running(Reason.SUSPEND_REQUESTED, message), suspended)
    state = situation.observation.state
    match state:
        case AttemptState.RUNNING:
            return _running(attempt, status)
        case AttemptState.QUEUED:
            taken = f"Queue takes the quota of attempt {attempt.number}."
            message = taken if attempt.ray_cluster else describe_wait(situation, attempt)
            return Phase.QUEUED, message, (_not_running(Reason.QUEUED, message), *_resumed(status))
        case AttemptState.TERMINATING:
            message = f"The RayJob of attempt {attempt.number} is being deleted by someone else."
            return status.phase, message, (_not_running(Reason.DELETED, message),)
        case AttemptState.UNKNOWN:
            message = "KubeRay reports a state that this version does not know; nothing is done about it."
            unknown = Finding(
                type=ConditionType.RUNNING, status="Unknown", reason=Reason.UNKNOWN_STATE, message=message
            )
            return status.phase, message, (unknown,)
        case _:
            message = _starting_message(situation, attempt)
            return Phase.STARTING, message, (_not_running(Reason.STARTING, message), *_resumed(status))


def _requeued(situation: Situation, status: JobStatus) -> Told:
    message = describe_wait(situation, status.attempts[-1])
    return Phase.QUEUED, message, (_not_running(Reason.QUEUED, message), *_resumed(status))


def _starting_message(situation: Situation, attempt: Attempt) -> str:
    """The start of an attempt, with what its pods complain about."""
    message = f"Attempt {attempt.number} of stage {attempt.stage} is starting."
    for one in situation.observation.evidence:
        trouble = one.image_error or one.configuration_error or one.unschedulable
        if trouble:
            return f"{message} Pod {one.pod}: {trouble}"
    return message


def _running(attempt: Attempt, status: JobStatus) -> Told:
    if attempt.stage == "prepare":
        message = f"Attempt {attempt.number} prepares model and data."
        phase, reason = Phase.PREPARING, Reason.PREPARING
    else:
        message = f"Attempt {attempt.number} is training."
        phase, reason = Phase.RUNNING, Reason.TRAINING
    running = Finding(type=ConditionType.RUNNING, status="True", reason=reason, message=message)
    return phase, message, (running, *_resumed(status))


def _held(verdict: Hold, status: JobStatus) -> Told:
    """A hold says its own condition, and what it means for the others."""
    held = Finding(type=verdict.condition, status=verdict.status, reason=verdict.reason, message=verdict.message)
    reason = verdict.reason if status.attempts else Reason.NOT_STARTED
    others: tuple[Finding, ...] = (_not_running(reason),)
    if verdict.condition is not ConditionType.RESTARTING:
        others = (*others, *_known_false(status, ConditionType.RESTARTING, Reason.NOT_STARTED))
    if verdict.condition is not ConditionType.SUSPENDED:
        others = (*others, *_known_false(status, ConditionType.SUSPENDED, Reason.RESUMED))
    return verdict.phase, verdict.message, (*others, held)


def _begun(status: JobStatus) -> Told:
    attempt = status.attempts[-1]
    message = f"Attempt {attempt.number} of stage {attempt.stage} is starting."
    return Phase.STARTING, message, (_not_running(Reason.STARTING, message), *_resumed(status))


def _ended(situation: Situation, status: JobStatus) -> Told:
    attempt = status.attempts[-1]
    match attempt.outcome:
        case "Complete":
            message = f"Stage {attempt.stage} is complete."
            phase = Phase.PREPARING if attempt.stage == "prepare" else Phase.RUNNING
            return phase, message, (_not_running(Reason.COMPLETE, message),)
        case "Stopped":
            message = f"Attempt {attempt.number} stopped as it was told to."
            if not situation.job.spec.run_policy.suspend:
                return status.phase, message, (_not_running(Reason.NOT_STARTED, message),)
            return Phase.SUSPENDING, message, (_not_running(Reason.SUSPEND_REQUESTED, message),)
        case _:
            assert attempt.failure is not None, "an attempt that ended otherwise has failed"
            failure = attempt.failure
            message = f"Attempt {attempt.number} failed: {failure.failure_class} {failure.reason}. {failure.message}"
            # Not Restarting for a moment where the next pass will say Failed.
            goes_on = judge_final_failure(replace(situation, status=status)) is None
            phase = Phase.RESTARTING if goes_on else status.phase
            return phase, message, (_not_running(failure.failure_class.value, message),)


def _finished(verdict: Finish, status: JobStatus) -> Told:
    over = (
        _not_running(Reason.FINISHED),
        *_known_false(status, ConditionType.SUSPENDED, Reason.FINISHED),
        *_known_false(status, ConditionType.RESTARTING, Reason.FINISHED),
    )
    if verdict.failure is None:
        message = "Every stage is complete."
        done = Finding(type=ConditionType.SUCCEEDED, status="True", reason=Reason.COMPLETE, message=message)
        return Phase.SUCCEEDED, message, (*over, done)
    failure = verdict.failure
    message = " ".join(part for part in (failure.message, failure.remedy) if part)
    failed = Finding(type=ConditionType.FAILED, status="True", reason=failure.failure_class.value, message=message)
    return Phase.FAILED, message, (*over, failed)
