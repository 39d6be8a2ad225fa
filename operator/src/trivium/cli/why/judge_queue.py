"""Kueue: quota, queue, admission, and whether it is there at all. Pure.

Reasons and messages of a Workload pass through as they are: their vocabulary changes between releases.
"""

from trivium.api.conditions import Reason
from trivium.cli.why.cause import Cause
from trivium.cli.why.facts import Facts
from trivium.domain.workload import WorkloadSeen, read_workload
from trivium.ports import Manifest
from trivium.render.names import QUEUE_NAME

_PATIENCE_SECONDS = 60.0
"""Kueue makes the Workload within a second; after a minute it is not at work."""
_NEEDS_SOMEBODY = frozenset({"Inadmissible", "ExceedsMaxQuota", "Misconfigured", "NoMatchingFlavor"})
"""Reasons of QuotaReserved=False that no waiting cures."""


def judge_queue(facts: Facts) -> Cause | None:
    """Of an attempt that was born suspended and waits for its turn."""
    attempt, ray_job = facts.attempt, facts.ray_job.first
    if attempt is None or not facts.queued:
        return None
    if not facts.workload.served:
        return _kueue_absent(facts, "The cluster has no Kueue, and the job's queue is one of Kueue's.")
    queue = str(attempt.get("queue") or _queue_of(ray_job))
    workload = read_workload(facts.workload.objects)
    if workload is not None:
        return _of_workload(facts, workload, queue)
    return None if ray_job is None else _without_workload(facts, ray_job, queue)


def _without_workload(facts: Facts, ray_job: Manifest, queue: str) -> Cause:
    if facts.local_queue.surely_absent and queue:
        return _queue_missing(facts, queue)
    if not facts.workload.readable:
        return _unseen(facts, queue)
    if facts.seconds_since(ray_job["metadata"].get("creationTimestamp")) < _PATIENCE_SECONDS:
        return _waiting(facts, queue, "Kueue has not looked at it yet.")
    return _kueue_absent(facts, "Kueue has made no Workload of its RayJob.")


def _queue_of(ray_job: Manifest | None) -> str:
    return str(((ray_job or {}).get("metadata", {}).get("labels") or {}).get(QUEUE_NAME) or "")


def _of_workload(facts: Facts, workload: WorkloadSeen, queue: str) -> Cause | None:
    describe = facts.kubectl(f"describe workload {workload.name}")
    if workload.finished is not None:
        return Cause(
            code="QueueGaveUp",
            says=f"Kueue gave its Workload up: {workload.finished}",
            remedy="Ask the platform team: the profile and the queue's flavor contradict each other.",
            who="platform",
            commands=(describe,),
        )
    if not workload.active:
        return Cause(
            code="WorkloadInactive",
            says="Its Workload was deactivated, by a person or by Kueue after too many tries.",
            remedy="Ask the platform team to set its spec.active to true, or suspend and resume the job.",
            who="platform",
            commands=(describe, facts.kubectl_trivium("suspend")),
        )
    if workload.reserved is not None and workload.evicted is None:
        return None if workload.admitted else _checks(workload, describe)
    if facts.local_queue.surely_absent and queue:
        return _queue_missing(facts, queue)
    return _no_quota(facts, workload, queue, describe)


def _no_quota(facts: Facts, workload: WorkloadSeen, queue: str, describe: str) -> Cause:
    said, inactive = workload.unreserved or workload.evicted, _inactive(facts.local_queue.first)
    reason = said.reason if said is not None else ""
    message = inactive or (said.message if said is not None else "") or "Kueue has not said why"
    stuck = bool(inactive) or reason in _NEEDS_SOMEBODY
    return Cause(
        code="QueueStopped" if inactive else reason if stuck else "QuotaPending",
        says=f"It waits for quota in queue {queue} and holds nothing: {message}",
        remedy="No waiting helps: ask for less (workers, gpusPerWorker), choose another compute.queue, or ask the "
        "platform team."
        if stuck
        else "It starts by itself when there is room; a higher compute.priority or fewer workers may help.",
        who="you" if stuck else "nobody",
        commands=(facts.kubectl(f"describe localqueue {queue}"), describe),
    )


def _inactive(local_queue: Manifest | None) -> str:
    for one in ((local_queue or {}).get("status") or {}).get("conditions") or ():
        if (one["type"], one["status"]) == ("Active", "False"):
            return f"the queue is not active: {one.get('message') or one.get('reason', '')}"
    return ""


def _checks(workload: WorkloadSeen, describe: str) -> Cause:
    return Cause(
        code="AdmissionChecks",
        says=f"It has quota and waits for admission checks: {'; '.join(workload.checks) or 'Kueue has not said which'}",
        remedy="It starts by itself when they agree; ask the platform team if that takes long.",
        who="platform",
        commands=(describe,),
    )


def _queue_missing(facts: Facts, queue: str) -> Cause:
    return Cause(
        code="QueueMissing",
        says=f"There is no LocalQueue {queue} in namespace {facts.namespace}, so nothing can wait in it.",
        remedy="Ask the platform team for that LocalQueue, or name another in compute.queue.",
        who="platform",
        commands=(facts.kubectl("get localqueues"),),
    )


def _waiting(facts: Facts, queue: str, message: str) -> Cause:
    return Cause(
        code="QuotaPending",
        says=f"It waits for quota in queue {queue} and holds nothing: {message}",
        remedy="It starts by itself when there is room.",
        who="nobody",
        commands=(facts.kubectl("get workloads"),),
    )


def _unseen(facts: Facts, queue: str) -> Cause:
    """The operator may read what this person may not, and writes it down."""
    reserved = facts.condition("QuotaReserved")
    if reserved.get("reason") == Reason.NO_WORKLOAD:
        return _kueue_absent(facts, reserved.get("message") or "Kueue has made no Workload of its RayJob.")
    said = reserved.get("message") or facts.status.get("message") or ""
    return _waiting(facts, queue, f"{said} (You may not read Workloads.)".strip())


def _kueue_absent(facts: Facts, says: str) -> Cause:
    return Cause(
        code="KueueAbsent",
        says=says,
        remedy="Ask the platform team: Kueue's controller is down, its RayJob integration is off, or it was never "
        "installed. Without Kueue a ComputeProfile must name no queue.",
        who="platform",
        commands=(facts.kubectl("get pods -A -l control-plane=controller-manager", scoped=False),),
    )
