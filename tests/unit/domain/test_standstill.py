"""Three restarts without a new checkpoint are enough, in whichever layer they are made."""

import pytest

from trivium.api.status import CheckpointStatus
from trivium.domain.standstill import restarts_without_progress
from trivium.domain.verdict import End, Finish, Keep


def at_step(case, step):
    prepare, train = case.status.stages
    checkpoint = CheckpointStatus(step=step, uri="u", at="2026-01-01T00:00:00Z") if step else None
    stages = (prepare, train.model_copy(update={"checkpoint": checkpoint}))
    return case.record(stages=stages, checkpoint=checkpoint)


@pytest.mark.parametrize(
    ("attempts", "checkpoint", "want"),
    [
        # (first step, idle restarts inside, failure class; None: it lives)
        ([(0, 0, "Hang")], 0, 0),
        ([(0, 0, "Hang")] * 4, 0, 3),
        ([(0, 3, "Hang")], 0, 3),
        ([(0, 1, "Hang"), (0, 1, "Hang")], 0, 3),
        ([(0, 4, None)], 0, 3),
        ([(0, 3, None)], 0, 2),
        ([(0, 2, "Hang"), (0, 0, None)], 0, 2),
        # The attempt that reached the checkpoint counts with what it failed after it.
        ([(0, 2, "Hang"), (20, 1, "Hang")], 20, 3),
        ([(0, 0, "Hang"), (20, 1, "Hang")], 20, 1),
        ([(0, 9, "Hang"), (20, 0, "Hang"), (40, 0, "Hang")], 40, 0),
        ([(0, 0, "Preempted")] * 9, 0, 0),
        ([(0, 0, "Hang"), (0, 0, "Preempted"), (0, 0, "Hang")], 0, 1),
    ],
)
def test_starts_from_the_same_checkpoint_are_counted_over_both_layers(case, attempts, checkpoint, want):
    case.planned()
    for number, (first, idle, failure_class) in enumerate(attempts, start=1):
        make = (
            case.attempt
            if failure_class is None
            else lambda failure_class=failure_class, **f: case.failed(failure_class, **f)
        )
        make(number=number, first_step=first, idle_restarts=idle)
    at_step(case, checkpoint)
    assert restarts_without_progress(case.status, case.situation.stage) == want


def test_an_attempt_that_only_starts_again_is_ended_and_the_job_with_it(case):
    case.with_spec(recovery={"maxRestarts": 1000}).planned().attempt().ray_job()
    for restarts in range(4):
        assert isinstance(case.decide().verdict, Keep)
        case.reported(step=3, received=restarts, sequence=restarts + 1, restarts=restarts + 1)
        decision = case.at(restarts).decide()
        case.status = decision.status
    assert isinstance(decision.verdict, End)
    assert (decision.verdict.failure.reason, decision.status.attempts[-1].idle_restarts) == ("Standstill", 4)
    case.raw["ray_jobs"] = ()
    decision = case.at(60).decide()
    assert isinstance(decision.verdict, Finish)
    assert "restarts in a row reached no new checkpoint" in decision.status.message


def test_a_new_checkpoint_and_preemptions_keep_an_attempt_alive(case):
    case.with_spec(recovery={"maxRestarts": 1000}).planned().attempt().ray_job()
    for number in range(1, 12):
        checkpoint = {"step": 10 * (number // 3), "path": "train/checkpoints/c"}
        preempted = number // 2
        case.reported(
            step=10 * number, received=number, sequence=number, restarts=number, preemptions=preempted,
            checkpoint=checkpoint,
        )  # fmt: skip
        decision = case.at(number).decide()
        assert isinstance(decision.verdict, Keep), number
        case.status = decision.status
