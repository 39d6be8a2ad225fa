"""What waiting for quota means for people: one sentence for the job, and the condition QuotaReserved.

The condition carries Kueue's own reason and message, as they are: what a queue lacks only Kueue knows, and its words
are those that a platform team finds in Kueue's manual.
"""

from trivium.api.conditions import ConditionType, Reason
from trivium.api.status import Attempt, JobStatus
from trivium.domain.conditions import Finding
from trivium.domain.queueing import workload_due_at
from trivium.domain.situation import Situation
from trivium.domain.time_spent import queued_seconds
from trivium.domain.workload import JOB_UID_LABEL, Said, WorkloadSeen

_DEACTIVATED = "Deactivated"
_NOBODY = "and nothing admits it: is Kueue running, and does its RayJob integration watch this namespace?"


def describe_wait(situation: Situation, attempt: Attempt) -> str:
    """One sentence on an attempt that waits for quota, and what Kueue says about it."""
    workload = situation.observation.workload
    queue = attempt.queue or (workload.queue if workload is not None else "")
    where = f" in queue {queue}" if queue else ""
    start = f"Attempt {attempt.number} waits for quota{where} since {attempt.started_at:%Y-%m-%dT%H:%M:%SZ}"
    if workload is None and _is_overdue(situation):
        return f"{start}, {_NOBODY}"
    said = _hindrance(workload) if workload is not None else None
    if workload is None or (said is None and not _has_quota(workload)):
        # The same sentence before and after Kueue has made the Workload: it looks at it within the second.
        see = f" See kubectl describe workloads -l {JOB_UID_LABEL}={attempt.ray_job_uid}" if queue else ""
        return f"{start}; it holds nothing.{see}"
    if workload.admitted and workload.evicted is None:
        return f"Attempt {attempt.number} is admitted by {_admitted_by(workload)}; it is about to start."
    if _has_quota(workload):
        checks = f" {'; '.join(workload.checks)}" if workload.checks else ""
        return f"Attempt {attempt.number} has quota and waits for admission checks.{checks}"
    return f"{start}; it holds nothing. Kueue says: {said}"


def find_quota(situation: Situation, status: JobStatus) -> tuple[Finding, ...]:
    """The condition QuotaReserved of a job that has ever waited for quota. `status` is the one that is composed."""
    kind, attempt = ConditionType.QUOTA_RESERVED, status.attempts[-1] if status.attempts else None
    if attempt is None or not (attempt.queued or any(c.type == kind for c in status.conditions)):
        return ()
    if attempt.ended_at is not None:
        return (Finding(type=kind, status="False", reason=Reason.FINISHED, message="No attempt needs quota."),)
    if attempt.queued and attempt.admitted_at is None:
        return (_waiting(situation, attempt),)
    return (Finding(type=kind, status="True", reason=Reason.ADMITTED, message=_admission(situation, attempt)),)


def _waiting(situation: Situation, attempt: Attempt) -> Finding:
    kind, workload = ConditionType.QUOTA_RESERVED, situation.observation.workload
    if workload is None:
        reason = Reason.NO_WORKLOAD if _is_overdue(situation) else Reason.QUEUED
        return Finding(type=kind, status="False", reason=reason, message=describe_wait(situation, attempt))
    if _has_quota(workload) and workload.reserved is not None:
        said = workload.reserved
        return Finding(type=kind, status="True", reason=said.reason or Reason.ADMITTED, message=said.message)
    known = _hindrance(workload)
    if known is None:
        message = describe_wait(situation, attempt)
        return Finding(type=kind, status="False", reason=Reason.QUEUED, message=message)
    return Finding(type=kind, status="False", reason=known.reason or Reason.QUEUED, message=known.message)


def _is_overdue(situation: Situation) -> bool:
    due = workload_due_at(situation)
    return due is not None and due <= situation.now


def _has_quota(workload: WorkloadSeen) -> bool:
    """Kueue keeps the reservation of what it evicts until the pods are gone; for us it is lost before."""
    return workload.reserved is not None and workload.evicted is None


def _hindrance(workload: WorkloadSeen) -> Said | None:
    """Why there is no quota; None if Kueue has not said anything yet."""
    if not workload.active:
        idle = Said(reason=_DEACTIVATED, message="The Workload's spec.active is false.")
        said = workload.evicted
        return said if said is not None and said.reason.startswith(_DEACTIVATED) else idle
    return workload.unreserved or workload.evicted


def _admission(situation: Situation, attempt: Attempt) -> str:
    """From whom an attempt has its quota, of what, and after how long; empty where no Workload says it."""
    workload = situation.observation.workload
    if workload is None or not workload.cluster_queue:
        return ""
    waited = int(queued_seconds(attempt))
    return f"Admitted by {_admitted_by(workload)} after {waited} s in the queue."


def _admitted_by(workload: WorkloadSeen) -> str:
    flavors = f", flavor {', '.join(workload.flavors)}" if workload.flavors else ""
    return f"ClusterQueue {workload.cluster_queue}{flavors}"
