"""Ends that the trainer says nothing about: what each witness around it says, word for word."""

import pytest

from trivium.api.failure_classes import FAILURE_POLICIES, FailureClass
from trivium.api.status import Failure
from trivium.domain.failure_of import conclude, failure_of_pods
from trivium.domain.pod_evidence import PodEvidence
from trivium.domain.verdict import End

CRASHED = PodEvidence(pod="w", node="n1", role="worker", exit_code=139)


def failed(failure_class, reason, message, **more):
    remedy = FAILURE_POLICIES[FailureClass(failure_class)].remedy
    failure = Failure(failure_class=failure_class, reason=reason, message=message, remedy=remedy, **more)
    return End(outcome="Failed", failure=failure)


def exited(code, *lines):
    return "\n".join([f"Job entrypoint command failed with exit code {code}, last available logs:", *lines])


def ended(case):
    return conclude(case.situation, case.situation.living)


def test_a_ray_job_that_is_gone_was_deleted_by_someone(case):
    want = failed("Infrastructure", "RayJobDeleted", "The attempt's RayJob was deleted by someone else.")
    assert ended(case.planned().attempt()) == want


def test_a_ray_job_that_kuberay_refuses_is_told_in_its_words(case):
    case.planned().attempt().ray_job("ValidationFailed", "", message="name too long")
    assert ended(case) == failed("Internal", "RayJobInvalid", "KubeRay refuses the RayJob: name too long")


def test_a_ray_job_that_was_stopped_is_somebodys_doing(case):
    case.planned().attempt().ray_job("Complete", "STOPPED")
    assert ended(case) == failed("Infrastructure", "RayJobStopped", "Somebody stopped the Ray job from outside.")


@pytest.mark.parametrize(
    ("reason", "message", "want"),
    [
        (
            "DeadlineExceeded",
            "",
            failed(
                "Deadline", "DeadlineExceeded", "KubeRay ended the RayJob: DeadlineExceeded.", node="n1", exit_code=139
            ),
        ),
        (
            "AppFailed",
            exited(1, "loading", "training", "IndexError: 7\n"),
            failed(
                "Internal",
                "UncaughtError",
                "The driver ended with exit code 1 and without a last word. IndexError: 7",
                node="n1",
                exit_code=1,  # the driver's, not the pod's
            ),
        ),
        (
            "AppFailed",
            "first\nsecond\nlast",
            failed(
                "Infrastructure",
                "AppFailed",
                "The attempt ended without the trainer's last word. KubeRay says: AppFailed. last",
                node="n1",
                exit_code=139,
            ),
        ),
        (
            "",
            "",
            failed(
                "Infrastructure",
                "NoLastWord",
                "The attempt ended without the trainer's last word. KubeRay says: nothing.",
                node="n1",
                exit_code=139,
            ),
        ),
    ],
)
def test_kuberays_words_come_with_the_node_of_the_pod_that_failed(case, reason, message, want):
    case.planned().attempt().ray_job("Failed", "FAILED", reason=reason, message=message)
    # The one that ended well is no witness.
    well = PodEvidence(pod="v", node="n0", role="worker", exit_code=0)
    assert ended(case.observed(evidence=(well, CRASHED))) == want


@pytest.mark.parametrize(
    ("facts", "want"),
    [
        (
            {"disruption": "PreemptionByScheduler", "disruption_message": "For b."},
            ("Preempted", "PreemptionByScheduler",
             "Pod w was taken away by the platform (PreemptionByScheduler). For b."),
        ),
        (
            {"out_of_memory": True},
            ("OutOfMemory", "OOMKilled", "Pod w was killed because it used more memory than its profile gives it."),
        ),
        (
            {"disruption": "Evicted"},
            ("Infrastructure", "Evicted", "Pod w was removed with its node or by it (Evicted)."),
        ),
    ],
)  # fmt: skip
def test_what_pods_say_is_told_with_pod_node_and_exit_code(facts, want):
    evidence = PodEvidence(pod="w", node="n1", role="worker", exit_code=137, **facts)
    assert failure_of_pods((evidence,)) == failed(*want, node="n1", exit_code=137).failure
