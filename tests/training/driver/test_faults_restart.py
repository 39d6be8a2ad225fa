"""What ends a start, and whether another follows: one budget over both restart layers, for every class.

Guards that a raise in the controller's state callback ends fit() at once (Ray 2.60): the only way to tell Ray's endless
retries that there is nothing to retry. Covered: UserError, DataError, OutOfMemory (torch's own allocator), Diverged and
Internal whatever the budget; Infrastructure (SIGKILL) with and without budget and without any answer; Hang. Preempted:
test_lost_node. Each run has two gloo ranks, and the last one misbehaves at step 3. Left out: NCCL, the controller's end.
"""

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture
def run_toy(cluster, run_config, start_driver, receiver):
    def start(behavior, *, budget=None, **changes):
        if budget is None:
            run = start_driver(
                run_config(behavior, **changes), cluster.mount_root, address=cluster.address, behavior=behavior
            )
            return run, *run.wait()
        with receiver(answer=lambda report: (200, {"attempt": 1, "remainingRestarts": budget})) as endpoint:
            config = run_config(behavior, progress=endpoint.progress(), **changes)
            run = start_driver(config, cluster.mount_root, address=cluster.address, behavior=behavior)
            return run, *run.wait()

    return start


@pytest.mark.parametrize(
    ("behavior", "want_code", "want_class", "want_reason"),
    [
        ("user", 64, "UserError", "BadField"),
        ("name", 65, "DataError", "MissingColumn"),
        ("memory", 80, "OutOfMemory", "OutOfMemory"),
        ("diverge", 81, "Diverged", "LossIsNaN"),
        ("bug", 70, "Internal", "UnexpectedError"),
    ],
)
def test_a_failure_that_a_rank_can_name_ends_the_attempt_with_its_class_whatever_the_budget(
    run_toy, behavior, want_code, want_class, want_reason
):
    run, code, record, log = run_toy(behavior, budget=3)
    assert (code, record.outcome, record.failure.failure_class) == (want_code, "failed", want_class), log
    assert (record.failure.reason, record.failure.rank) == (want_reason, 1)
    assert len(run.ledger("restart")) == 1
    assert len(run.report_lines("run")) == 1  # one start
    # Rank 0 writes its state at its own pace: when the other rank raises after step 2, it may still say less.
    assert record.step <= 2
    assert record.step == 2 or behavior != "diverge"
    assert (record.failure.step, record.failure.data_step) == ((3, 53) if behavior == "diverge" else (None, None))


def test_a_killed_rank_starts_again_within_the_attempt_while_the_budget_lasts(run_toy):
    run, code, record, log = run_toy("die-once", budget=1)
    assert (code, record.outcome) == (0, "complete"), log
    (restart,) = run.ledger("restart")
    assert restart["failure"]["class"] == "Infrastructure"
    assert len(run.report_lines("run")) == 2


def test_a_rank_killed_again_ends_the_attempt_when_the_budget_is_spent(run_toy):
    run, code, record, log = run_toy("die", budget=1)
    assert (code, record.failure.failure_class) == (75, "Infrastructure"), log
    assert "No restart is left after 1" in record.failure.message
    assert len(run.ledger("restart")) == 2
    assert len(run.report_lines("run")) == 2


def test_without_any_answer_there_is_no_restart(run_toy, run_config):
    run, code, record, log = run_toy("die", job=run_config("unanswered").job)
    assert (code, record.failure.failure_class) == (75, "Infrastructure"), log
    assert len(run.report_lines("run")) == 1


def test_a_hang_leaves_every_ranks_stacks_and_ends_the_attempt(run_toy):
    run, code, record, log = run_toy("hang", budget=3, recovery={"hangTimeoutSeconds": 6})
    assert (code, record.failure.failure_class) == (82, "Hang"), log
    stacks = {path.name: path.read_text() for path in run.stage.failures.glob("*-stacks-rank-*.txt")}
    assert sorted(stacks) == ["1-stacks-rank-0.txt", "1-stacks-rank-1.txt"]
    assert all("toy_recipe" in text for text in stacks.values())
    assert "misbehave" in stacks["1-stacks-rank-1.txt"]
    assert len(run.ledger("restart")) == 1
