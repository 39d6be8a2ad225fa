"""The trainer's last word as the end of its attempt: from a report, from the log, or from a status that holds it."""

import pytest

from trivium.api.failure_classes import FAILURE_POLICIES, FailureClass
from trivium.api.inspection import Inspection
from trivium.api.status import Failure
from trivium.domain.failure_of import conclude
from trivium.domain.pod_evidence import PodEvidence
from trivium.domain.verdict import End

SAID_COMPLETE = {"outcome": "complete", "stage": "train", "outputDigest": "sha256:1"}
SAID_FAILED = {"outcome": "failed", "stage": "train", "failure": {"class": "Hang", "reason": "Said", "message": "m"}}
UNASKED = Failure(
    failure_class=FailureClass.INFRASTRUCTURE,
    reason="StoppedUnasked",
    message="The trainer stopped as if it had been told to, and it was not.",
    remedy="Look at the node named in the attempt; if it repeats, tell the platform team.",
)
INSPECTION_MISSING = Failure(
    failure_class=FailureClass.INFRASTRUCTURE,
    reason="InspectionMissing",
    message="The stage prepare is complete, but its report never arrived; it is asked again.",
    remedy="Look at the node named in the attempt; if it repeats, tell the platform team.",
)


def ended(case):
    return conclude(case.situation, case.situation.living)


def hang(**more):
    remedy = FAILURE_POLICIES[FailureClass.HANG].remedy
    return Failure(failure_class=FailureClass.HANG, reason="Said", message="m", remedy=remedy, **more)


def test_a_report_that_says_complete_is_believed_with_its_digest(case):
    case.planned().attempt().ray_job("Failed", "FAILED").reported(end=SAID_COMPLETE)
    assert ended(case) == End(outcome="Complete", digest="sha256:1")


def test_a_report_that_says_failed_gives_its_failure(case):
    case.planned().attempt().ray_job("Failed", "FAILED").reported(end=SAID_FAILED)
    assert ended(case) == End(outcome="Failed", failure=hang())


def test_a_report_outranks_what_the_log_says(case):
    line = 'TRIVIUM-RECORD {"outcome":"failed","stage":"train"}'
    case.planned().attempt().ray_job("Failed", "FAILED", message=line).reported(end=SAID_COMPLETE)
    assert ended(case) == End(outcome="Complete", digest="sha256:1")


def test_a_last_word_about_another_stage_is_none(case):
    case.planned().attempt().ray_job("Complete", "SUCCEEDED").reported(end=SAID_FAILED | {"stage": "prepare"})
    assert ended(case) == End(outcome="Complete")


def test_a_failure_that_nobody_explains_is_our_own_error(case):
    case.planned().attempt(outcome="Failed").ray_job("Failed", "FAILED")
    failure = ended(case).failure
    assert (failure.failure_class, failure.reason) == ("Internal", "Unexplained")


def test_a_failure_that_status_holds_already_is_kept(case):
    case.planned().attempt(outcome="Failed", failure=hang(node="n7")).ray_job("Failed", "FAILED")
    assert ended(case) == End(outcome="Failed", failure=hang(node="n7"))


@pytest.mark.parametrize(
    ("pods", "node"),
    [
        ((), None),
        ((1,), "n1"),
        ((1, 139), None),  # two nodes: which of them is not clear
        ((1, 0), "n1"),
        ((1, None), "n1"),
        ((1, 143), "n1"),  # KubeRay cleans up with SIGTERM
    ],
)
def test_a_hang_names_the_node_of_the_only_worker_that_ended_by_itself(case, pods, node):
    evidence = [
        PodEvidence(pod=f"w{number}", node=f"n{number}", role="worker", exit_code=code)
        for number, code in enumerate(pods, start=1)
    ]
    evidence.append(PodEvidence(pod="h", node="n0", role="head", exit_code=1))
    case.planned().attempt().ray_job("Failed", "FAILED").reported(end=SAID_FAILED).observed(evidence=tuple(evidence))
    assert ended(case) == End(outcome="Failed", failure=hang(node=node))


def test_a_node_that_the_trainer_knew_is_not_replaced_by_a_guess(case):
    case.planned().attempt(outcome="Failed", failure=hang(node="n7")).ray_job("Failed", "FAILED")
    case.observed(evidence=(PodEvidence(pod="w", node="n1", role="worker", exit_code=1),))
    assert ended(case).failure.node == "n7"


def test_a_trainer_that_was_told_to_stop_has_stopped(case, t0):
    case.planned().attempt(outcome="Stopped").ray_job("Complete", "SUCCEEDED").record(suspend_requested_at=t0)
    assert ended(case) == End(outcome="Stopped")


def test_a_trainer_that_stopped_unasked_has_failed(case):
    case.planned().attempt(outcome="Stopped").ray_job("Complete", "SUCCEEDED")
    assert ended(case) == End(outcome="Failed", failure=UNASKED)


@pytest.mark.parametrize("word", [True, False])
def test_prepare_without_its_inspection_is_asked_again(case, word):
    case.planned(stage="prepare").attempt(stage="prepare").ray_job("Complete", "SUCCEEDED", name="a-prepare-1")
    if word:
        case.reported(stage="prepare", end={"outcome": "complete", "stage": "prepare", "outputDigest": "sha256:1"})
    assert ended(case) == End(outcome="Failed", failure=INSPECTION_MISSING)


def test_prepare_with_its_inspection_is_complete(case):
    seen = Inspection(
        architecture={}, parameters=1, vocabulary=1, packing=True, max_length=256, train_sequences=1,
        train_examples=1, train_tokens=1, prepared_key="k", tokenizer_digest="t",
    )  # fmt: skip
    case.planned(stage="prepare").attempt(stage="prepare").record(inspection=seen)
    assert ended(case.ray_job("Complete", "SUCCEEDED", name="a-prepare-1")) == End(outcome="Complete")
