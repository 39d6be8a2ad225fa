"""Events: one per transition, none for what stays, a warning where somebody should look."""

import pytest

from trivium.announce import events_between
from trivium.api.status import JobStatus
from trivium.ports import ObjectKey

KEY = ObjectKey(kind="SFTJob", namespace="team", name="a")


def status(*, conditions=(), attempts=(), **fields):
    return JobStatus.model_validate(
        {
            "conditions": [
                {"type": t, "status": s, "reason": r, "message": "m", "lastTransitionTime": "2026-01-01T00:00:00Z"}
                for t, s, r in conditions
            ],
            "attempts": list(attempts),
            **fields,
        }
    )


def attempt(**fields):
    return {"number": 1, "stage": "train", "rayJob": "r", "startedAt": "2026-01-01T00:00:00Z", **fields}


FAILED = {"class": "Hang", "reason": "Stuck", "message": "It hangs.", "remedy": "Look."}
NODE = {"node": "n1", "reason": "Stuck", "since": "2026-01-01T00:00:00Z"}
ENDED = {"endedAt": "2026-01-01T00:01:00Z"}


@pytest.mark.parametrize(
    ("old", "new", "want"),
    [
        (status(), status(), []),
        (status(), status(attempts=[attempt()]), [("Normal", "AttemptStarted")]),
        (status(attempts=[attempt()]), status(attempts=[attempt(lastStep=5)]), []),
        (status(attempts=[attempt()]), status(attempts=[attempt(restarts=2)]), [("Warning", "RestartedInside")]),
        (
            status(attempts=[attempt()]),
            status(attempts=[attempt(**ENDED, outcome="Failed", failure=FAILED)]),
            [("Warning", "Hang")],
        ),
        (
            status(attempts=[attempt()]),
            status(attempts=[attempt(**ENDED, outcome="Complete")]),
            [("Normal", "AttemptEnded")],
        ),
        (
            status(attempts=[attempt()]),
            status(
                attempts=[attempt(**ENDED, outcome="Failed", failure=FAILED), attempt(number=2)],
                skips=[{"dataStep": 41, "steps": 33, "rollbackTo": 40, "at": "2026-01-01T00:00:00Z"}],
            ),
            [("Warning", "Hang"), ("Warning", "RolledBack"), ("Normal", "AttemptStarted")],
        ),
        (status(), status(excludedNodes=[NODE]), [("Warning", "NodeExcluded")]),
        (status(excludedNodes=[NODE]), status(excludedNodes=[NODE]), []),
        (status(excludedNodes=[NODE]), status(), [("Warning", "NodesForgiven")]),
        (status(), status(conditions=[("QuotaReserved", "True", "Admitted")]), [("Normal", "QuotaReserved")]),
        (status(), status(conditions=[("QuotaReserved", "False", "Pending")]), []),
        (status(), status(conditions=[("QuotaReserved", "False", "Inadmissible")]), [("Warning", "Inadmissible")]),
        (
            status(conditions=[("QuotaReserved", "False", "Pending")]),
            status(conditions=[("QuotaReserved", "False", "ExceedsMaxQuota")]),
            [("Warning", "ExceedsMaxQuota")],
        ),
        (
            status(conditions=[("QuotaReserved", "False", "Inadmissible")]),
            status(conditions=[("QuotaReserved", "False", "Inadmissible")]),
            [],
        ),
        (status(), status(conditions=[("QuotaReserved", "False", "NoWorkload")]), [("Warning", "NoWorkload")]),
        (status(), status(conditions=[("QuotaReserved", "False", "Deactivated")]), [("Warning", "Deactivated")]),
        (status(), status(conditions=[("Failed", "True", "Hang")]), [("Warning", "Failed")]),
        (status(), status(conditions=[("Suspended", "True", "CapacityFreed")]), [("Normal", "Suspended")]),
        (status(), status(conditions=[("Accepted", "False", "InvalidSpec")]), [("Warning", "InvalidSpec")]),
        (
            status(conditions=[("UpstreamReady", "False", "UpstreamNotFinished")]),
            status(conditions=[("UpstreamReady", "False", "UpstreamFailed")]),
            [("Warning", "UpstreamFailed")],
        ),
        (
            status(conditions=[("Accepted", "False", "InvalidSpec")]),
            status(conditions=[("Accepted", "False", "InvalidSpec")]),
            [],
        ),
    ],
)
def test_transitions_become_events_and_nothing_else_does(old, new, want):
    events = events_between(KEY, uid="u", old=old, new=new)
    assert [(event.type, event.reason) for event in events] == want


def test_the_event_of_a_failure_says_what_to_do():
    old = status(attempts=[attempt()])
    new = status(attempts=[attempt(**ENDED, outcome="Failed", failure=FAILED)])
    (event,) = events_between(KEY, uid="u", old=old, new=new)
    assert event.message == "Attempt 1: Stuck. It hangs. Look."
    assert event.regarding == KEY


def planned(**plan):
    return status(stages=[{"name": "train", "plan": {"totalSteps": 9, **plan}}])


@pytest.mark.parametrize(
    ("old", "new", "want"),
    [
        (status(), planned(workers=1), ["Stage train: 1 worker, 9 steps"]),
        (status(), planned(workers=2, gpus=16), ["Stage train: 2 workers, 16 GPUs, 9 steps"]),
        (planned(workers=1), planned(workers=2), ["Stage train: 2 workers, 9 steps"]),
        (planned(workers=1), planned(workers=1), []),
        (planned(workers=1), planned(workers=1, outcome={"seconds": 4}), []),  # what came of a plan is no new plan
        (status(), planned(workers=1, provisional=True), []),
    ],
)
def test_a_plan_is_told_when_it_is_made_and_when_it_changes(old, new, want):
    assert [event.message for event in events_between(KEY, uid="u", old=old, new=new)] == want
