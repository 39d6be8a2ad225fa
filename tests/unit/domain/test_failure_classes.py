"""Failure classes from evidence: every kind of witness, alone and against the others; total over what may be seen."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivium.api.failure_classes import FAILURE_POLICIES, FailureClass, Pause
from trivium.domain.exit_codes import CLASS_OF_EXIT_CODE, classify_exit_code, exit_code_in
from trivium.domain.failure_of import failure_of_pods
from trivium.domain.next_attempt import _CHANGES
from trivium.domain.pod_evidence import PodEvidence, missing_workers, read_pod_evidence
from trivium_trainer.failure import EXIT_CODES


def record(failure_class, **more):
    fields = "".join(f',"{key}":{value}' for key, value in more.items())
    return (
        'TRIVIUM-RECORD {"outcome":"failed","stage":"train","failure":'
        f'{{"class":"{failure_class}","reason":"Said"{fields}}}}}'
    )


def exited(code):
    return f"Job entrypoint command failed with exit code {code}, last available logs (truncated to 20,000 chars):\nEnd"


def worker(**facts):
    return PodEvidence(pod="w", node="n1", role="worker", **facts)


PREEMPTED = worker(disruption="PreemptionByScheduler", exit_code=143)
LOST = worker(disruption="DeletionByTaintManager")
EVICTED = worker(disruption="Evicted", disruption_message="The node was low on resource: ephemeral-storage.")
OOM = worker(out_of_memory=True, exit_code=137)
CRASHED = worker(exit_code=139)
CLEANED_UP = worker(exit_code=143)


@pytest.mark.parametrize(
    ("reason", "message", "pods", "want"),
    [
        # The trainer's record, in the log's tail.
        ("AppFailed", record("UserError"), (), ("UserError", "Said", None)),
        ("AppFailed", record("DataError"), (OOM,), ("DataError", "Said", None)),
        ("AppFailed", record("Diverged", step=73, dataStep=123), (), ("Diverged", "Said", None)),
        ("AppFailed", record("Hang"), (), ("Hang", "Said", None)),
        ("AppFailed", record("Hang"), (CRASHED,), ("Hang", "Said", "n1")),
        ("AppFailed", record("Infrastructure"), (CLEANED_UP,), ("Infrastructure", "Said", None)),
        ("AppFailed", record("Infrastructure"), (LOST,), ("Infrastructure", "DeletionByTaintManager", "n1")),
        ("AppFailed", record("OutOfMemory"), (PREEMPTED,), ("OutOfMemory", "Said", None)),
        ("AppFailed", record("Tomorrow"), (), ("Internal", "Said", None)),
        # Pods.
        ("SubmissionFailed", "", (PREEMPTED,), ("Preempted", "PreemptionByScheduler", "n1")),
        ("SubmissionFailed", "", (LOST,), ("Infrastructure", "DeletionByTaintManager", "n1")),
        ("SubmissionFailed", "", (EVICTED,), ("Infrastructure", "Evicted", "n1")),
        ("SubmissionFailed", "", (OOM,), ("OutOfMemory", "OOMKilled", "n1")),
        ("SubmissionFailed", "", (OOM, PREEMPTED), ("Preempted", "PreemptionByScheduler", "n1")),
        ("SubmissionFailed", "", (LOST, OOM), ("OutOfMemory", "OOMKilled", "n1")),
        # Exit codes of the driver.
        ("AppFailed", exited(1), (), ("Internal", "UncaughtError", None)),
        ("AppFailed", exited(64), (), ("UserError", "ExitUserError", None)),
        ("AppFailed", exited(80), (), ("OutOfMemory", "ExitOutOfMemory", None)),
        ("AppFailed", exited(137), (), ("Infrastructure", "Killed", None)),
        ("AppFailed", exited(139), (), ("Internal", "SegmentationFault", None)),
        ("AppFailed", exited(3), (), ("Infrastructure", "UnknownExitCode", None)),
        ("AppFailed", exited(1), (OOM,), ("OutOfMemory", "OOMKilled", "n1")),
        # KubeRay alone.
        ("AppFailed", "", (), ("Infrastructure", "AppFailed", None)),
        ("SubmissionFailed", "", (), ("Infrastructure", "SubmissionFailed", None)),
        ("JobStatusCheckTimeoutExceeded", "", (), ("Infrastructure", "JobStatusCheckTimeoutExceeded", None)),
        ("DeadlineExceeded", "", (), ("Deadline", "DeadlineExceeded", None)),
        ("PreRunningDeadlineExceeded", "", (), ("Deadline", "PreRunningDeadlineExceeded", None)),
        ("", "", (), ("Infrastructure", "NoLastWord", None)),
        ("", "", (CRASHED,), ("Infrastructure", "NoLastWord", "n1")),
    ],
)
def test_each_witness_is_heard_and_the_one_who_knows_best_is_believed(case, reason, message, pods, want):
    case.planned().attempt().ray_job("Failed", "FAILED", reason=reason, message=message).observed(evidence=pods)
    failure = case.decide().verdict.failure
    assert (failure.failure_class, failure.reason, failure.node) == want
    assert failure.remedy


def test_where_training_diverged_is_kept_with_the_failure(case):
    message = record("Diverged", step=73, dataStep=123)
    case.planned().attempt().ray_job("Failed", "FAILED", reason="AppFailed", message=message)
    failure = case.decide().verdict.failure
    assert (failure.step, failure.data_step) == (73, 123)


def test_an_eviction_is_told_in_the_kubelets_words(case):
    case.planned().attempt().ray_job("Failed", "", reason="SubmissionFailed").observed(evidence=(EVICTED,))
    assert "low on resource: ephemeral-storage" in case.decide().verdict.failure.message


def test_every_exit_code_of_the_trainer_means_its_class():
    for failure_class, code in EXIT_CODES.items():
        assert classify_exit_code(code)[0] == failure_class
    assert set(EXIT_CODES.values()) < set(CLASS_OF_EXIT_CODE)


@given(st.integers(1, 255))
def test_every_exit_code_has_a_class_and_one_word(code):
    failure_class, reason = classify_exit_code(code)
    assert failure_class in FailureClass
    assert reason.isalnum()


@pytest.mark.parametrize(
    ("message", "want"),
    [(exited(137), 137), (exited(0), None), ("exit code 5", None), ("", None), (exited(1234), None)],
)
def test_the_drivers_exit_code_is_read_from_rays_own_words_only(message, want):
    assert exit_code_in(message) == want


FACTS = (PREEMPTED, LOST, EVICTED, OOM, CRASHED, CLEANED_UP, worker())


@pytest.mark.parametrize("pods", list(itertools.permutations(FACTS, 2)))
def test_the_order_of_the_pods_does_not_matter_to_the_class(pods):
    one, other = failure_of_pods(pods), failure_of_pods(pods[::-1])
    assert (one and one.failure_class) == (other and other.failure_class)


def test_pods_tell_their_role_and_why_they_were_taken_away():
    pod = {
        "metadata": {"name": "w", "labels": {"ray.io/node-type": "worker"}},
        "status": {
            "conditions": [
                {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI", "message": "Drained."}
            ]
        },
    }
    evidence = read_pod_evidence(pod)
    assert (evidence.role, evidence.disruption, evidence.disruption_message) == (
        "worker",
        "EvictionByEvictionAPI",
        "Drained.",
    )
    waiting = worker(unschedulable="0/3 nodes are available")
    assert missing_workers((waiting, waiting, worker(), PodEvidence(pod="h", role="head", unschedulable="none"))) == 2


def test_what_needs_a_change_is_exactly_what_has_one():
    assert {name for name, policy in FAILURE_POLICIES.items() if policy.needs_change} == set(_CHANGES)
    assert {name for name, policy in FAILURE_POLICIES.items() if policy.pause is Pause.NEVER} == {
        name for name, policy in FAILURE_POLICIES.items() if not policy.retried
    }


def test_the_longest_name_of_a_node_fits_into_status(case):
    node = ".".join(["n" * 62] * 4)
    lost = PodEvidence(pod="w", node=node, role="worker", disruption="DeletionByTaintManager")
    case.planned().attempt().ray_job("Failed", "", reason="SubmissionFailed").observed(evidence=(lost,))
    status = case.decide().status
    assert (status.attempts[-1].failure.node, status.excluded_nodes[0].node) == (node, node)
