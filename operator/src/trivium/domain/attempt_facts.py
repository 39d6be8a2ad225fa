"""Folds what was seen of the living attempt into the status: names, progress, checkpoint, inspection, last word.

Facts only, no conclusions. The same observation folded twice changes nothing the second time, whatever the clock says,
except that news held back by the limit on progress writes become due.
"""

from datetime import datetime, timedelta

from trivium.api import Job
from trivium.api.failure_classes import FAILURE_POLICIES, FailureClass
from trivium.api.failure_reasons import FailureReason
from trivium.api.status import Attempt, CheckpointStatus, Failure, JobStatus
from trivium.domain.budget import charge, preemptions_of, restarts_of, stage_of, uncharged
from trivium.domain.end_record import EndRecord, RecordedFailure
from trivium.domain.observation import Observation, RayJobSeen
from trivium.domain.progress_facts import read_progress
from trivium.domain.ray_job_state import ENDED, AttemptState
from trivium.domain.report import ProgressReport, ReportSnapshot
from trivium.domain.run_layout import place, run_path, stage_output
from trivium.domain.situation import update, with_last_attempt, with_stage
from trivium.domain.time_spent import goodput, read_seconds

_HAS_QUOTA = (ENDED - {AttemptState.INVALID}) | {AttemptState.STARTING, AttemptState.RUNNING}
OUTCOMES = {"complete": "Complete", "failed": "Failed", "stopped": "Stopped"}


def fold_facts(
    status: JobStatus, *, job: Job, observation: Observation, now: datetime, interval: timedelta
) -> JobStatus:
    """The status with what is newly known of its living attempt; the same status if there is none."""
    attempt = status.attempts[-1] if status.attempts else None
    if attempt is None or attempt.ended_at is not None:
        return status
    current = observation.current
    if current is not None:
        status = with_last_attempt(
            status,
            ray_job_uid=attempt.ray_job_uid or current.uid,
            **_place_in_queue(attempt, current, now=now),
        )
    snapshot = observation.report
    if snapshot is None or snapshot.report.stage != attempt.stage:
        return _fold_record(status, job=job, observation=observation, now=now)
    if is_urgent(status, snapshot) or observation.state in ENDED or is_progress_due(status, interval=interval, now=now):
        status = _fold_report(status, snapshot, job=job, observation=observation)
    return _fold_record(status, job=job, observation=observation, now=now)


def _fold_record(status: JobStatus, *, job: Job, observation: Observation, now: datetime) -> JobStatus:
    """What the log's last line says of restarts: the final report may never have arrived, and the budget is due."""
    attempt, record = status.attempts[-1], observation.current.end if observation.current is not None else None
    if record is None or record.outcome == "complete" or record.stage != attempt.stage:
        return status
    undelivered = ProgressReport(
        api_version="progress.trivium.dev/v1alpha1",
        job_uid=job.metadata.uid,
        stage=attempt.stage,
        sequence=0,
        restarts=record.restarts,
        preemptions=record.preemptions,
        earlier_restarts=record.earlier_restarts,
        end=record,
    )
    return _fold_restarts(status, undelivered, job=job, at=now)


def _place_in_queue(attempt: Attempt, current: RayJobSeen, *, now: datetime) -> dict[str, object]:
    """Whether the attempt waits for quota, has got it, and which RayCluster it got then."""
    if current.state is AttemptState.QUEUED and not attempt.ray_cluster:
        return {"queued": True, "admitted_at": None}  # quota may come and go before anything has begun
    if current.state not in _HAS_QUOTA:
        return {}  # the RayCluster that KubeRay names for what is born suspended never comes to life
    known: dict[str, object] = {"ray_cluster": attempt.ray_cluster or current.ray_cluster}
    if not attempt.queued or attempt.admitted_at is not None:
        return known
    since = current.starting_since
    return known | {"admitted_at": since if since is not None and attempt.started_at <= since <= now else now}


def is_urgent(status: JobStatus, snapshot: ReportSnapshot) -> bool:
    """Whether a report says what cannot wait for the next progress write."""
    report, attempt = snapshot.report, status.attempts[-1]
    return (
        attempt.running_at is None
        or restarts_of(report) > attempt.restarts
        or uncharged(status, attempt, report) > 0
        or (attempt.stage == "prepare" and report.inspection is not None and report.inspection != status.inspection)
        or (report.end is not None and attempt.outcome is None)
    )


def progress_due_at(status: JobStatus, *, interval: timedelta) -> datetime | None:
    """When progress alone is next worth a write; None if it is at once."""
    updated_at = status.progress.updated_at if status.progress is not None else None
    return None if updated_at is None else updated_at + interval


def is_progress_due(status: JobStatus, *, interval: timedelta, now: datetime) -> bool:
    """Whether progress alone is worth a write now. A write of the future was made before the clock went back."""
    due = progress_due_at(status, interval=interval)
    return due is None or not now < due <= now + interval


def _fold_report(status: JobStatus, snapshot: ReportSnapshot, *, job: Job, observation: Observation) -> JobStatus:
    report, attempt = snapshot.report, status.attempts[-1]
    restarts = max(0, restarts_of(report) - attempt.restarts)
    preemptions = max(0, preemptions_of(report) - attempt.preemptions)
    status = with_last_attempt(
        status,
        running_at=attempt.running_at or snapshot.received_at,
        last_step=max(attempt.last_step, attempt.first_step, report.step),
        idle_restarts=0 if _has_new_checkpoint(status, report) else attempt.idle_restarts + restarts - preemptions,
        seconds=read_seconds(report) or attempt.seconds,
        memory_bytes=_largest(attempt.memory_bytes, report.memory_bytes),
        **_last_word(attempt, report.end),
    )
    status = _fold_restarts(status, report, job=job, at=snapshot.received_at)
    status = _fold_output(status, report.end, job=job)
    if report.inspection is not None and attempt.stage == "prepare":
        status = update(status, inspection=report.inspection)
    status = update(
        status,
        progress=read_progress(snapshot, status=status, profiles=observation.profiles),
    )
    status = update(status, goodput=goodput(status, until=snapshot.received_at))
    return _fold_checkpoint(status, snapshot, job=job)


def _fold_restarts(status: JobStatus, report: ProgressReport, *, job: Job, at: datetime) -> JobStatus:
    """Restarts inside the attempt that are news, and the budget charged with those that it does not hold yet."""
    attempt = status.attempts[-1]
    restarts = max(0, restarts_of(report) - attempt.restarts)
    preemptions = max(0, preemptions_of(report) - attempt.preemptions)
    unpaid = uncharged(status, attempt, report)
    if restarts or preemptions:
        status = with_last_attempt(
            status, restarts=attempt.restarts + restarts, preemptions=attempt.preemptions + preemptions
        )
        status = update(status, restarts=status.restarts + restarts)
    return _charge(status, unpaid, job=job, at=at) if unpaid else status


def _charge(status: JobStatus, restarts: int, *, job: Job, at: datetime) -> JobStatus:
    attempt = status.attempts[-1]
    budget = charge(
        status.restart_budget,
        attempt,
        restarts=restarts,
        window_seconds=job.spec.recovery.window_seconds,
        now=_whole(at),
    )
    known = stage_of(status, attempt).restarts
    return with_stage(update(status, restart_budget=budget), attempt.stage, restarts=known + restarts)


def _has_new_checkpoint(status: JobStatus, report: ProgressReport) -> bool:
    known = status.checkpoint.step if status.checkpoint is not None else 0
    return report.checkpoint is not None and report.checkpoint.step > known


def _largest(known: int | None, said: int | None) -> int | None:
    return max((one for one in (known, said) if one is not None), default=None)


def _fold_output(status: JobStatus, end: EndRecord | None, *, job: Job) -> JobStatus:
    """The output of a stage as soon as it is said to be complete: its digest is in no other place of ours."""
    name = status.attempts[-1].stage
    stage = next((one for one in status.stages if one.name == name), None)
    if end is None or end.outcome != "complete" or end.stage != name or stage is None or stage.plan is None:
        return status
    if stage.output is not None and (stage.output.digest or not end.output_digest):
        return status
    return with_stage(status, name, output=stage_output(job, stage.plan, stage=name, digest=end.output_digest))


def _fold_checkpoint(status: JobStatus, snapshot: ReportSnapshot, *, job: Job) -> JobStatus:
    checkpoint = snapshot.report.checkpoint
    if checkpoint is None:
        return status
    known = status.checkpoint
    kept = tuple(sorted(set(snapshot.report.checkpoints)))
    if known is not None and known.step == checkpoint.step:
        if not kept or known.kept == kept:
            return status
        value = known.model_copy(update={"kept": kept})
    else:
        runs = status.plan.runs if status.plan is not None else None
        uri = place(runs, f"{run_path(job)}/{checkpoint.path}")
        value = CheckpointStatus(step=checkpoint.step, uri=uri, at=snapshot.received_at, kept=kept)
    return with_stage(update(status, checkpoint=value), status.attempts[-1].stage, checkpoint=value)


def _last_word(attempt: Attempt, end: EndRecord | None) -> dict[str, object]:
    """The trainer's own end, kept before its process is gone: reports do not outlive this process, status does."""
    if end is None or attempt.outcome is not None or not end.speaks_of(attempt.stage):
        return {}
    return {
        "outcome": OUTCOMES[end.outcome],
        "failure": read_failure(end.failure) if end.outcome == "failed" else None,
    }


def read_failure(recorded: RecordedFailure | None, *, node: str | None = None) -> Failure:
    """The trainer's failure in our own terms; a class that we do not know is Internal."""
    if recorded is None:
        policy = FAILURE_POLICIES[FailureClass.INTERNAL]
        return Failure(
            failure_class=FailureClass.INTERNAL,
            reason=FailureReason.UNEXPLAINED,
            message="The trainer says that it failed and not why.",
            remedy=policy.remedy,
        )
    known = recorded.failure_class in set(FailureClass)
    failure_class = FailureClass(recorded.failure_class) if known else FailureClass.INTERNAL
    return Failure(
        failure_class=failure_class,
        reason=recorded.reason or failure_class.value,
        message=recorded.message,
        remedy=recorded.remedy or FAILURE_POLICIES[failure_class].remedy,
        node=node,
        rank=recorded.rank,
        exit_code=recorded.exit_code,
        step=recorded.step,
        data_step=recorded.data_step,
    )


def _whole(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)
