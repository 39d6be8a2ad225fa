"""How an attempt ended, and why: the trainer's last word, then the pods, then what KubeRay says.

The order is the one of trust. The trainer alone knows that its run is complete; what happens around it (a node taken
away, memory killed, an image not found) only the pods know, so they outrank a trainer that saw a worker vanish.
"""

from trivium.api.failure_classes import FAILURE_POLICIES, FailureClass
from trivium.api.failure_reasons import REASONS_OF_FAILURES, FailureReason
from trivium.api.status import Attempt, Failure
from trivium.domain.attempt_facts import OUTCOMES, read_failure
from trivium.domain.end_record import clean_text
from trivium.domain.eviction import class_of_eviction
from trivium.domain.exit_codes import classify_exit_code, exit_code_in
from trivium.domain.observation import Observation, RayJobSeen
from trivium.domain.pod_evidence import PodEvidence
from trivium.domain.ray_job_state import AttemptState
from trivium.domain.situation import Situation
from trivium.domain.verdict import End
from trivium.domain.workload import WorkloadSeen

_BLIND = frozenset({FailureClass.INFRASTRUCTURE, FailureClass.INTERNAL, FailureClass.HANG})
"""Classes that a trainer gives when something outside of it went away."""
_PREEMPTIONS = frozenset({"PreemptionByScheduler", "EvictionByEvictionAPI", "TerminationByKubelet", "DisruptionTarget"})
"""The platform took the pod on purpose. DeletionByTaintManager is a broken node, Evicted a pod that used too much."""
_KUBERAY_DEADLINES = frozenset({"DeadlineExceeded", "PreRunningDeadlineExceeded"})
"""We render neither; a cluster's own policies may."""
_SIGTERM = 143


def failure(failure_class: FailureClass, reason: str, message: str, *, evidence: PodEvidence | None = None) -> Failure:
    """A failure in the operator's own words, with the class's remedy."""
    return Failure(
        failure_class=failure_class,
        reason=reason,
        message=str(clean_text(message.strip())),
        remedy=FAILURE_POLICIES[failure_class].remedy,
        node=evidence.node if evidence is not None else None,
        exit_code=evidence.exit_code if evidence is not None else None,
    )


def own_failure(reason: FailureReason, message: str, *, evidence: PodEvidence | None = None) -> Failure:
    """A failure that the operator itself concludes; the reason decides the class."""
    return failure(REASONS_OF_FAILURES[reason][0], reason, message, evidence=evidence)


def failure_of_eviction(workload: WorkloadSeen | None, evidence: tuple[PodEvidence, ...]) -> Failure | None:
    """Kueue's own reason and words for taking the quota back; None if it has not."""
    said = workload.evicted if workload is not None else None
    failure_class = class_of_eviction(workload) if workload is not None else None
    if said is None or failure_class is None:
        return None
    reason = said.reason or FailureReason.QUOTA_TAKEN
    message = f"Kueue took the quota back: {reason}. {said.message}"
    found = failure(failure_class, reason, message)
    if failure_class is not FailureClass.INFRASTRUCTURE:
        return found
    of_pods = failure_of_pods(evidence)
    node = of_pods.node if of_pods is not None else _node_that_failed(evidence)
    return found.model_copy(update={"node": node})


def conclude(situation: Situation, attempt: Attempt) -> End:
    """The end of an attempt whose processes are over."""
    end = _last_word(situation, attempt)
    if end is not None:
        return end
    seen = situation.observation.current
    if situation.observation.state is AttemptState.SUCCEEDED:
        return _complete(situation, attempt, digest=None)
    return End(outcome="Failed", failure=_without_word(situation.observation, seen))


def _last_word(situation: Situation, attempt: Attempt) -> End | None:
    """What the trainer itself said: in a report (status may hold it already), or in the log's last line."""
    observation = situation.observation
    report = observation.report.report if observation.report is not None else None
    records = [report.end if report is not None else None, observation.current.end if observation.current else None]
    record = next((one for one in records if one is not None and one.speaks_of(attempt.stage)), None)
    outcome = attempt.outcome or (OUTCOMES[record.outcome] if record is not None else None)
    digest = record.output_digest if record is not None else None
    match outcome:
        case "Complete":
            return _complete(situation, attempt, digest=digest)
        case "Stopped":
            return _stopped(situation)
        case "Failed":
            said = attempt.failure or read_failure(record.failure if record is not None else None)
            return End(outcome="Failed", failure=_refine(said, observation))
        case _:
            return None


def _complete(situation: Situation, attempt: Attempt, *, digest: str | None) -> End:
    if attempt.stage == "prepare" and situation.status.inspection is None:
        # The next attempt finds its directory complete, succeeds at once, and reports again.
        message = "The stage prepare is complete, but its report never arrived; it is asked again."
        return End(outcome="Failed", failure=own_failure(FailureReason.INSPECTION_MISSING, message))
    return End(outcome="Complete", digest=digest)


def _stopped(situation: Situation) -> End:
    if situation.status.suspend_requested_at is not None:
        return End(outcome="Stopped")
    # Nobody asked: were it free of the budget, such a run could come back forever.
    message = "The trainer stopped as if it had been told to, and it was not."
    return End(outcome="Failed", failure=own_failure(FailureReason.STOPPED_UNASKED, message))


def _refine(said: Failure, observation: Observation) -> Failure:
    """The trainer's failure, unless Kueue or the pods know better why something around it vanished."""
    if said.failure_class not in _BLIND:
        return said
    evicted = failure_of_eviction(observation.workload, observation.evidence)
    if evicted is not None:
        return evicted
    of_pods = failure_of_pods(observation.evidence)
    if of_pods is not None:
        return of_pods
    return said if said.node is not None else said.model_copy(update={"node": _node_that_failed(observation.evidence)})


def _node_that_failed(evidence: tuple[PodEvidence, ...]) -> str | None:
    """The node of the only workers that ended by themselves; None where that is not clear.

    KubeRay's own cleaning up ends pods with SIGTERM: that says nothing about a node.
    """
    ended = {one.node for one in evidence if one.role == "worker" and one.exit_code not in (None, 0, _SIGTERM)}
    return ended.pop() if len(ended) == 1 else None


def failure_of_pods(evidence: tuple[PodEvidence, ...]) -> Failure | None:
    """The first cause among the pods of an attempt: a preemption kills the others, memory kills only its own."""
    for one in evidence:
        if one.disruption in _PREEMPTIONS:
            message = f"Pod {one.pod} was taken away by the platform ({one.disruption}). {one.disruption_message}"
            return failure(FailureClass.PREEMPTED, str(one.disruption), message, evidence=one)
    for one in evidence:
        if one.out_of_memory:
            message = f"Pod {one.pod} was killed because it used more memory than its profile gives it."
            return own_failure(FailureReason.OOM_KILLED, message, evidence=one)
    for one in evidence:
        if one.disruption is not None:
            message = f"Pod {one.pod} was removed with its node or by it ({one.disruption}). {one.disruption_message}"
            return failure(FailureClass.INFRASTRUCTURE, one.disruption, message, evidence=one)
    return None


def _without_word(observation: Observation, seen: RayJobSeen | None) -> Failure:
    """An attempt that ended without a word of its trainer."""
    if seen is None:
        return own_failure(
            FailureReason.RAY_JOB_DELETED,
            "The attempt's RayJob was deleted by someone else.",
        )
    if seen.state is AttemptState.INVALID:
        message = f"KubeRay refuses the RayJob: {seen.message}"
        return own_failure(FailureReason.RAY_JOB_INVALID, message)
    outside = failure_of_eviction(observation.workload, observation.evidence) or failure_of_pods(observation.evidence)
    if outside is not None:
        return outside
    if seen.state is AttemptState.STOPPED:
        message = "Somebody stopped the Ray job from outside."
        return own_failure(FailureReason.RAY_JOB_STOPPED, message)
    return _of_ray_job(seen, observation.evidence)


def _of_ray_job(seen: RayJobSeen, evidence: tuple[PodEvidence, ...]) -> Failure:
    """What KubeRay and Ray say, where nobody else says anything."""
    exited = next((one for one in evidence if one.exit_code), None)
    if seen.reason in _KUBERAY_DEADLINES:
        return failure(FailureClass.DEADLINE, seen.reason, f"KubeRay ended the RayJob: {seen.reason}.", evidence=exited)
    last_line = seen.message.strip().rsplit("\n", 1)[-1]
    code = exit_code_in(seen.message)
    if code is not None:
        failure_class, reason = classify_exit_code(code)
        message = f"The driver ended with exit code {code} and without a last word. {last_line}"
        return failure(failure_class, reason, message, evidence=exited).model_copy(update={"exit_code": code})
    said = seen.reason or "nothing"
    message = f"The attempt ended without the trainer's last word. KubeRay says: {said}. {last_line}"
    return failure(FailureClass.INFRASTRUCTURE, seen.reason or FailureReason.NO_LAST_WORD, message, evidence=exited)
