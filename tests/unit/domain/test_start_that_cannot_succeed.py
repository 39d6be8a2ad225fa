"""Starts that fail fast: each trouble with its own words, at its very moment and from when it is counted."""

from datetime import timedelta

import pytest

from trivium.api.failure_classes import FAILURE_POLICIES, FailureClass
from trivium.api.status import Failure
from trivium.domain.pod_evidence import PodEvidence
from trivium.domain.start_trouble import judge_start_trouble, start_due_at, start_trouble_at
from trivium.domain.verdict import End

TIMEOUT = {"workerStartTimeoutSeconds": 300}


def starting(case, *, state="Initializing", **attempt):
    return case.with_spec(compute=TIMEOUT).planned().attempt(**attempt).ray_job(state, "")


def failed(failure_class, reason, message, **more):
    remedy = FAILURE_POLICIES[FailureClass(failure_class)].remedy
    failure = Failure(failure_class=failure_class, reason=reason, message=message, remedy=remedy, **more)
    return End(outcome="Failed", failure=failure)


@pytest.mark.parametrize(
    ("facts", "seconds", "want"),
    [
        ({"image_error": "ErrImagePull: gone"}, 119, None),
        (
            {"image_error": "ErrImagePull: gone", "configuration_error": "second"},
            120,
            failed("ImagePull", "ImagePull", "ErrImagePull: gone", node="n1"),
        ),
        ({"configuration_error": "no secret"}, 119, None),
        ({"configuration_error": "no secret"}, 120, failed("UserError", "PodConfiguration", "no secret", node="n1")),
        ({"unschedulable": "0/3 nodes"}, 299, None),
        (
            {"unschedulable": "0/3 nodes"},
            300,
            failed("Unschedulable", "Unschedulable", "After 300 seconds no node fits pod w: 0/3 nodes"),
        ),
        ({}, 299, None),
        (
            {},
            300,
            failed(
                "Infrastructure",
                "StartTimeout",
                "compute.workerStartTimeoutSeconds: the attempt was not running after 300 seconds.",
            ),
        ),
    ],
)
def test_a_start_that_cannot_succeed_fails_in_the_words_of_its_pods(case, facts, seconds, want):
    starting(case).observed(evidence=(PodEvidence(pod="v"), PodEvidence(pod="w", node="n1", **facts)))
    assert judge_start_trouble(case.at(seconds).situation) == want


@pytest.mark.parametrize(
    ("attempt", "listening", "since"),
    [
        ({}, 0, 0),
        ({}, 100, 100),  # the operator was away
        ({"queued": True, "admitted_at": 50}, 0, 50),
        ({"queued": True}, 0, 0),
    ],
)
def test_a_start_counts_from_the_quota_and_only_while_the_operator_watches(case, t0, attempt, listening, since):
    times = {name: t0 + timedelta(seconds=value) for name, value in attempt.items() if name == "admitted_at"}
    starting(case, **(attempt | times)).observed(listening_since=t0 + timedelta(seconds=listening))
    assert start_trouble_at(case.situation) == t0 + timedelta(seconds=since + 120)
    assert start_due_at(case.situation) == t0 + timedelta(seconds=since + 300)


def test_nothing_is_due_of_an_attempt_that_is_over_runs_or_waits(new_case, t0):
    cases = [
        starting(new_case(), ended_at=t0, outcome="Stopped"),
        starting(new_case(), running_at=t0),
        starting(new_case(), state="Suspended"),
        new_case().planned().attempt(),
        new_case().planned().ray_job("Initializing", ""),
    ]
    for case in cases:
        late = case.at(9000).situation
        assert (judge_start_trouble(late), start_due_at(late), start_trouble_at(late)) == (None, None, None)
