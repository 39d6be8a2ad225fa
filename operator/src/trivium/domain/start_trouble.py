"""Pods that do not come up. KubeRay waits for them forever (Initializing never fails), so we read the pods."""

from datetime import datetime

from trivium.api.failure_reasons import FailureReason
from trivium.domain.failure_of import own_failure
from trivium.domain.ray_job_state import AttemptState
from trivium.domain.situation import Situation
from trivium.domain.time_spent import held_since
from trivium.domain.verdict import End, Verdict

TROUBLE_GRACE_SECONDS = 120.0
"""A registry's hiccup or a Secret that is applied a moment later passes in this time; a typo does not."""


def judge_start_trouble(situation: Situation) -> Verdict | None:
    """Whether the pods of a start say that it cannot succeed: it fails fast, with their own words."""
    since = _starting_since(situation)
    if since is None:
        return None
    evidence = situation.observation.evidence
    if situation.after(since, seconds=TROUBLE_GRACE_SECONDS) <= situation.now:
        for one in evidence:
            if one.image_error is not None:
                cause = own_failure(FailureReason.IMAGE_PULL, one.image_error, evidence=one)
                return End(outcome="Failed", failure=cause)
            if one.configuration_error is not None:
                cause = own_failure(FailureReason.POD_CONFIGURATION, one.configuration_error, evidence=one)
                return End(outcome="Failed", failure=cause)
    due = start_due_at(situation)
    if due is None or due > situation.now:
        return None
    unschedulable = next((one for one in evidence if one.unschedulable), None)
    seconds = situation.job.spec.compute.worker_start_timeout_seconds
    if unschedulable is not None:
        message = f"After {seconds} seconds no node fits pod {unschedulable.pod}: {unschedulable.unschedulable}"
        return End(outcome="Failed", failure=own_failure(FailureReason.UNSCHEDULABLE, message))
    message = f"compute.workerStartTimeoutSeconds: the attempt was not running after {seconds} seconds."
    return End(outcome="Failed", failure=own_failure(FailureReason.START_TIMEOUT, message))


def start_trouble_at(situation: Situation) -> datetime | None:
    """When trouble with images and mounts is no longer forgiven."""
    since = _starting_since(situation)
    return None if since is None else situation.after(since, seconds=TROUBLE_GRACE_SECONDS)


def start_due_at(situation: Situation) -> datetime | None:
    """When an attempt that starts should be running."""
    since = _starting_since(situation)
    if since is None:
        return None
    return situation.after(since, seconds=situation.job.spec.compute.worker_start_timeout_seconds)


def _starting_since(situation: Situation) -> datetime | None:
    """When the present start began; None while queued, running or over. No deadline runs in a queue.

    A trainer that has reported runs, whatever an old view of its RayJob says; from then on its silence counts.
    """
    attempt, current = situation.living, situation.observation.current
    if attempt is None or current is None or situation.observation.state is not AttemptState.STARTING:
        return None
    if attempt.running_at is not None:
        return None
    # An operator that was away creates the RayJob long after it has recorded the attempt; and a clock that was set, or
    # the other replica's, says nothing of what it did not see itself.
    listening = situation.observation.listening_since
    moments = (held_since(attempt) or attempt.started_at, current.created_at, current.starting_since, listening)
    return max(moment for moment in moments if moment is not None)
