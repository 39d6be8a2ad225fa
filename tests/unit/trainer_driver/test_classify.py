"""From exceptions to failures: who is believed, what is somebody else's fault, what is a bug."""

import copy
import errno
import pickle

import pytest

from trivium_trainer.driver.classify import classify, ends_attempt, worker_died
from trivium_trainer.driver.train_stage import explain_fit_error
from trivium_trainer.failure import DivergedError, FailureClass, TrainingError

NAMED = TrainingError(FailureClass.DIVERGED, "LossIsNaN", "loss: NaN at step 3.", remedy="Lower the rate.")


class OutOfMemoryError(RuntimeError):
    """Named like torch's."""


class DistBackendError(RuntimeError):
    """Named like torch's."""


def raised(error, cause=None):
    with pytest.raises(type(error)) as caught:
        raise error from cause
    return caught.value


@pytest.mark.parametrize(
    ("error", "want_class", "want_reason"),
    [
        (OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "OutOfMemory", "OutOfMemory"),
        (MemoryError(), "OutOfMemory", "OutOfMemory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "OutOfMemory", "OutOfMemory"),
        (
            RuntimeError("[gloo/transport/tcp/pair.cc:534] Connection closed by peer [127.0.0.1]:7"),
            "Infrastructure",
            "PeerLost",
        ),
        (RuntimeError("Application timeout caused pair closure"), "Infrastructure", "PeerLost"),
        (
            DistBackendError("NCCL error in: ProcessGroupNCCL.cpp:1275, remote process exited"),
            "Infrastructure",
            "PeerLost",
        ),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), "Infrastructure", "PeerLost"),
        (RuntimeError("CUDA error: uncorrectable ECC error encountered"), "Infrastructure", "DeviceFailed"),
        (OSError(errno.ENOSPC, "No space left on device"), "UserError", "DiskFull"),
        (KeyError("text"), "Internal", "UnexpectedError"),
        (ValueError("connection reset by peer"), "Internal", "UnexpectedError"),
    ],
)
def test_an_exception_gets_the_class_of_its_cause(error, want_class, want_reason):
    failure = classify(raised(error))
    assert (failure.failure_class, failure.reason) == (want_class, want_reason)
    assert failure.remedy


def test_a_named_failure_is_believed_wherever_it_was_wrapped():
    assert classify(raised(RuntimeError("connection closed by peer"), cause=NAMED)) is NAMED
    wrapped = RuntimeError("ray")
    wrapped.cause = NAMED
    assert classify(wrapped) is NAMED


def test_a_bug_shows_its_last_frames_and_stays_short():
    failure = classify(raised(KeyError("x" * 5000)))
    assert "KeyError" in failure.message
    assert "raised (trainer_driver/test_classify.py" in failure.message
    assert len(failure.message) <= 1024


def test_only_what_a_rank_suffered_is_worth_another_start():
    restartable = {c for c in FailureClass if not ends_attempt(TrainingError(c, "R", "m", remedy="r"))}
    assert restartable == {FailureClass.INFRASTRUCTURE, FailureClass.PREEMPTED}


def test_a_rank_killed_by_the_memory_monitor_ran_out_of_memory():
    assert worker_died([1], "the actor died").failure_class is FailureClass.INFRASTRUCTURE
    assert worker_died([1], "killed due to the node running low on memory: memory pressure").reason == "NodeOutOfMemory"


def test_the_word_of_the_restart_policy_is_found_inside_rays_errors():
    inner = RuntimeError("attempt over")
    inner.failure = NAMED.to_failure(rank=1)
    outer = RuntimeError("Training failed due to controller error")
    outer.controller_failure = inner
    assert explain_fit_error(outer) == NAMED.to_failure(rank=1)


def test_workers_that_never_came_are_infrastructure():
    assert (
        explain_fit_error(RuntimeError("The worker group startup timed out after 60 seconds")).reason
        == "WorkersDidNotStart"
    )


def test_a_divergence_still_says_where_after_its_way_through_ray():
    error = DivergedError("LossIsNaN", "The loss became NaN.", remedy="Lower the rate.", step=7, data_step=57)
    for carried in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        failure = carried.to_failure(rank=1)
        assert (failure.failure_class, failure.step, failure.data_step) == (FailureClass.DIVERGED, 7, 57)
