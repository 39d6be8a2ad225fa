"""Which of several errors explains the end of a start, and what it costs of the budget."""

import pytest

from trivium_trainer.driver.blame import blame
from trivium_trainer.driver.ledger import begin_attempt
from trivium_trainer.driver.restart_policy import AttemptEndedError, RestartPolicy
from trivium_trainer.failure import FailureClass, TrainingError
from trivium_trainer.layout import StageDirectory


class WorkerHealthCheckFailedError(Exception):
    """Named like Ray's."""

    def __init__(self, *, preempted=False, text=""):
        super().__init__(text)
        self.health_check_failure = RayActorError(preempted=preempted)


class RayActorError(Exception):
    """Named like Ray's."""

    def __init__(self, *, preempted):
        super().__init__("The actor died.")
        self.preempted = preempted


class PreemptionInfo:
    """Shaped like Ray's."""

    preempted_ranks = (1,)


class PreemptingState:
    """Named like Ray's."""

    preemption_info = PreemptionInfo


class RunningState:
    """Named like Ray's."""


class RestartingState:
    """Named like Ray's."""

    def __init__(self, **worker_failures):
        self.training_failed_error = Exception()
        if worker_failures:
            self.training_failed_error.worker_failures = {int(k[1:]): v for k, v in worker_failures.items()}


def named(failure_class=FailureClass.INFRASTRUCTURE):
    return TrainingError(failure_class, "Reason", "message.", remedy="remedy.")


DEAD = WorkerHealthCheckFailedError()
RECLAIMED = WorkerHealthCheckFailedError(preempted=True)
STARVED = WorkerHealthCheckFailedError(text="killed due to memory pressure")
LOST_PEER = named()
BAD_DATA = named(FailureClass.DATA_ERROR)


@pytest.mark.parametrize(
    ("errors", "announced", "want_class", "want_rank"),
    [
        ({0: LOST_PEER, 1: DEAD}, None, "Infrastructure", 1),
        ({0: LOST_PEER, 1: RECLAIMED}, None, "Preempted", 1),
        ({0: LOST_PEER, 1: STARVED}, None, "OutOfMemory", 1),
        ({0: LOST_PEER}, None, "Infrastructure", 0),
        # The survivor's error may come a poll before the drained node's death.
        ({0: LOST_PEER}, [1], "Preempted", 1),
        # Ray ended the ranks at the drain's deadline: no rank had an error.
        ({}, [1, 2], "Preempted", 1),
        ({0: LOST_PEER, 1: DEAD}, [1], "Preempted", 1),
        ({0: BAD_DATA, 1: RECLAIMED}, [1], "DataError", 0),
        ({0: DEAD, 1: BAD_DATA}, None, "DataError", 1),
        ({0: KeyError("x")}, None, "Internal", 0),
    ],
)
def test_who_knows_the_cause_goes_before_a_lost_node_and_that_before_who_died(errors, announced, want_class, want_rank):
    failure = blame(errors, announced=announced)
    assert (failure.failure_class, failure.rank) == (want_class, want_rank)


@pytest.fixture
def attempt(tmp_path):
    return begin_attempt(StageDirectory(tmp_path / "train"), "one")


def test_a_drained_node_costs_nothing_and_enters_the_ledger_once(attempt):
    policy = RestartPolicy(attempt)
    for state in (RunningState(), PreemptingState(), PreemptingState()):
        policy.after_controller_state_update(RunningState(), state)
    assert attempt.restarts() == 0
    policy.after_controller_state_update(PreemptingState(), RestartingState())
    # An elastic group may wait for its nodes: Ray tells the same state every round.
    policy.after_controller_state_update(RestartingState(), RestartingState())
    policy.after_controller_state_update(RestartingState(), RunningState())
    assert (attempt.restarts(), attempt.preemptions(), attempt.remaining_budget()) == (1, 1, 0)


def test_a_death_without_budget_ends_the_attempt_and_with_budget_costs_one(attempt):
    attempt.keep_budget(1)
    policy = RestartPolicy(attempt)
    policy.after_controller_state_update(RunningState(), RestartingState(_1=DEAD))
    assert (attempt.restarts(), attempt.preemptions(), attempt.remaining_budget()) == (1, 0, 0)
    with pytest.raises(AttemptEndedError) as ended:
        policy.after_controller_state_update(RunningState(), RestartingState(_1=DEAD))
    assert "No restart is left after 1" in ended.value.failure.message
    assert begin_attempt(attempt.stage, "two").earlier_restarts() == 1


def test_a_failure_that_a_rank_has_named_ends_the_attempt_whatever_ray_saw(attempt):
    attempt.keep_budget(5)
    attempt.write_failure(attempt.start_number(), BAD_DATA.to_failure(rank=3))
    with pytest.raises(AttemptEndedError) as ended:
        RestartPolicy(attempt).after_controller_state_update(PreemptingState(), RestartingState(_0=DEAD))
    assert (ended.value.failure.failure_class, ended.value.failure.rank) == ("DataError", 3)
