"""What changes for the next attempt: micro-batch, data that is left out, workers, nodes. One table a policy."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivium.api.plan_status import SizePlan
from trivium.api.recovery import OnDivergence
from trivium.api.status import Attempt, CheckpointStatus, ExcludedNode, Failure, Skip
from trivium.domain.excluded_nodes import MAX_EXCLUDED, exclude_node
from trivium.domain.pod_evidence import PodEvidence
from trivium.domain.rollback import choose_skip, data_step_of
from trivium.domain.verdict import Begin, End, Finish

SIZES = tuple(
    SizePlan(world_size=n, micro_batch_size=32 // n // a, gradient_accumulation=a) for n, a in ((1, 8), (2, 4), (4, 2))
)


def elastic(case, *, workers=4, minimum=1, sizes=None):
    sizes = sizes or tuple(
        SizePlan(world_size=n, micro_batch_size=1, gradient_accumulation=12 // n) for n in (1, 2, 3, 4)
    )
    case.with_spec(
        compute={"workers": workers, **({"minWorkers": minimum} if minimum else {})},
        optimization={"globalBatchSize": 12},
    )
    return case.planned(workers=workers, sizes=sizes, global_batch_size=12)


@pytest.mark.parametrize(
    ("minimum", "last", "missing", "want"),
    [
        (1, 4, 1, 3),
        (1, 4, 3, 1),
        (1, 4, 0, 3),  # only the head found no room: less is worth a try
        (2, 4, 3, 2),
        (2, 3, 2, 2),
        (2, 2, 1, None),
        (4, 4, 1, None),
        (None, 4, 1, None),
    ],
)
def test_without_room_the_next_attempt_has_fewer_workers_down_to_the_minimum(case, minimum, last, missing, want):
    elastic(case, minimum=minimum).failed("Unschedulable", workers=last, missing_workers=missing)
    decision = case.at(20).decide()
    if want is None:
        assert isinstance(decision.verdict, Finish)
        assert "minWorkers" in decision.status.message
    else:
        assert isinstance(decision.verdict, Begin)
        attempt = decision.status.attempts[-1]
        assert (attempt.workers, decision.status.plan.workers) == (want, 4)


@pytest.mark.parametrize("ending", ["Infrastructure", "Preempted", "Hang"])
def test_an_attempt_that_ended_for_another_reason_is_followed_by_one_with_all_workers(case, ending):
    elastic(case).failed("Unschedulable", workers=4).failed(ending, number=2, workers=2)
    assert case.at(100).decide().status.attempts[-1].workers == 4


def test_numbers_of_workers_that_were_never_planned_are_not_tried(case):
    elastic(case, sizes=SIZES).failed("Unschedulable", workers=4, missing_workers=1)
    # 3 has no size, so 2 cannot be reached without a gap: the trainer may be left with any number between.
    assert isinstance(case.at(20).decide().verdict, Finish)


def test_the_children_of_a_smaller_attempt_are_made_with_its_workers(case):
    elastic(case).attempt(workers=2, micro_batch_size=1)
    run = case.decide().run
    assert (run.plan.workers, run.number) == (2, 1)


def test_workers_without_room_are_counted_when_the_attempt_ends(case):
    elastic(case).attempt(workers=4).ray_job("Initializing", "")
    waiting = PodEvidence(pod="w", role="worker", unschedulable="0/3 nodes are available")
    decision = case.observed(evidence=(waiting, waiting)).at(700).decide()
    assert isinstance(decision.verdict, End)
    assert decision.status.attempts[-1].missing_workers == 2


# Divergence


def skip(first, steps, back=0):
    return Skip(data_step=first, steps=steps, rollback_to=back, at="2026-01-01T00:00:00Z")


def attempt(t0, **failure):
    said = Failure(failure_class="Diverged", reason="LossIsNaN", message="m", **failure)
    return Attempt(number=1, stage="train", ray_job="r", started_at=t0, last_step=72, failure=said)


def kept(*steps):
    return CheckpointStatus(step=steps[-1], uri="u", at="2026-01-01T00:00:00Z", kept=steps) if steps else None


@pytest.mark.parametrize(
    ("failure", "checkpoints", "skips", "rule", "want"),
    [
        ({"step": 73, "data_step": 73}, (20, 40, 60), (), {}, (41, 33, 40)),
        ({"step": 173, "data_step": 173}, (20, 40, 60), (), {}, (124, 50, 40)),
        ({"step": 73, "data_step": 73}, (60,), (), {}, (24, 50, 0)),
        ({"step": 73, "data_step": 73}, (), (), {}, (24, 50, 0)),
        ({"step": 3, "data_step": 3}, (), (), {}, (1, 3, 0)),
        ({"step": 73}, (20, 40, 60), (), {}, (41, 33, 40)),
        ({}, (20, 40, 60), (), {}, (41, 33, 40)),  # the step after the last one that was reported
        ({"step": 73, "data_step": 73}, (20, 40, 60), (), {"skip_steps": 1}, (73, 1, 40)),
        # Behind an earlier window data steps are later than optimizer steps, and windows never overlap.
        ({"step": 73, "data_step": 123}, (40, 60), (skip(24, 50),), {}, (91, 33, 40)),
        ({"step": 73}, (40, 60), (skip(24, 50),), {}, (91, 33, 40)),
        ({"step": 50, "data_step": 90}, (20, 40), (skip(41, 40),), {"skip_steps": 60}, (81, 10, 20)),
        # A report that makes no sense still gives a window that the trainer accepts.
        ({"step": 5, "data_step": 5}, (20, 40, 60), (), {}, (41, 1, 40)),
    ],
)
def test_the_window_ends_with_the_bad_step_and_begins_behind_the_earlier_checkpoint(
    t0, failure, checkpoints, skips, rule, want
):
    chosen = choose_skip(
        attempt(t0, **failure), checkpoint=kept(*checkpoints), skips=skips, rule=OnDivergence(**rule), now=t0
    )
    assert (chosen.data_step, chosen.steps, chosen.rollback_to) == want


@pytest.mark.parametrize(
    ("rule", "done", "word"),
    [
        ({"action": "fail"}, 0, "action: fail"),
        ({"max_rollbacks": 0}, 0, "maxRollbacks: 0 of 0"),
        ({"max_rollbacks": 2}, 2, "maxRollbacks: 2 of 2"),
    ],
)
def test_a_job_is_rolled_back_only_as_often_as_it_wishes(t0, rule, done, word):
    skips = tuple(skip(10 * n + 1, 5) for n in range(done))
    said = choose_skip(attempt(t0, step=73), checkpoint=kept(20, 40), skips=skips, rule=OnDivergence(**rule), now=t0)
    assert isinstance(said, str)
    assert word in said


@given(
    st.lists(st.tuples(st.integers(1, 400), st.lists(st.integers(1, 200), max_size=3)), max_size=6),
    st.integers(1, 60),
)
def test_windows_are_disjoint_and_each_leaves_out_the_bad_step(divergences, skip_steps):
    from datetime import UTC, datetime

    now, skips = datetime(2026, 1, 1, tzinfo=UTC), ()
    rule = OnDivergence(max_rollbacks=16, skip_steps=skip_steps)
    for bad_step, checkpoints in divergences:
        done = sorted({c for c in checkpoints if c < bad_step})
        before = skips
        chosen = choose_skip(attempt(now, step=bad_step), checkpoint=kept(*done), skips=skips, rule=rule, now=now)
        skips = (*skips, chosen)
        bad = data_step_of(bad_step, before)
        assert chosen.data_step <= bad < chosen.data_step + chosen.steps
        assert chosen.data_step > chosen.rollback_to
        assert chosen.steps <= skip_steps
    left_out = [n for one in skips for n in range(one.data_step, one.data_step + one.steps)]
    assert len(left_out) == len(set(left_out))


@given(st.lists(st.tuples(st.integers(1, 100), st.integers(1, 30)), max_size=5), st.integers(1, 200))
def test_the_data_step_is_the_nth_one_that_no_window_holds(windows, step):
    skips, end = (), 0
    for first, steps in sorted(windows):
        if first > end:
            skips, end = (*skips, skip(first, steps)), first + steps
    held = {n for one in skips for n in range(one.data_step, one.data_step + one.steps)}
    trained = [n for n in range(1, 1000) if n not in held]
    assert data_step_of(step, skips) == trained[step - 1]


def test_a_rollback_is_recorded_with_the_attempt_that_makes_it(case, t0):
    case.planned(checkpoint=None).failed("Diverged", first_step=0, last_step=72)
    prepare, train = case.status.stages
    case.record(stages=(prepare, train.model_copy(update={"checkpoint": kept(20, 40, 60)})))
    status = case.at(20).decide().status
    assert [(one.data_step, one.steps, one.rollback_to) for one in status.skips] == [(41, 33, 40)]
    assert (status.attempts[-1].first_step, status.checkpoint.step, status.checkpoint.kept) == (40, 40, (20, 40))
    assert status.checkpoint.uri == "pvc://runs/team/SFTJob/a/uid-a/train/checkpoints/step-00000040"
    assert status.stages[-1].checkpoint == status.checkpoint
    case.status = status
    run = case.decide().run
    assert [one.data_step for one in run.skips] == [41]


def test_a_divergence_costs_a_restart_of_the_budget(case):
    line = 'TRIVIUM-RECORD {"outcome":"failed","stage":"train","failure":{"class":"Diverged","reason":"LossIsNaN"}}'
    case.planned().attempt().ray_job("Failed", "FAILED", reason="AppFailed", message=line)
    assert case.decide().status.restart_budget.spent == 1


@pytest.mark.parametrize(("rule", "want"), [({}, Begin), ({"maxRollbacks": 0}, Finish), ({"action": "fail"}, Finish)])
def test_a_diverged_job_goes_on_where_its_rule_says_so(case, rule, want):
    case.with_spec(recovery={"onDivergence": rule}).planned().failed("Diverged")
    assert isinstance(case.at(20).decide().verdict, want)


# Nodes


@pytest.mark.parametrize(
    ("failure_class", "reason", "node", "want"),
    [
        ("Infrastructure", "DeletionByTaintManager", "n1", ["n1"]),
        ("Hang", "Stuck", "n1", ["n1"]),
        ("Infrastructure", "NoLastWord", None, []),
        ("Infrastructure", "Evicted", "n1", []),
        ("OutOfMemory", "OOMKilled", "n1", []),
        ("Preempted", "PreemptionByScheduler", "n1", []),
        ("Internal", "UncaughtError", "n1", []),
    ],
)
def test_nodes_are_excluded_only_for_what_may_be_their_fault(t0, failure_class, reason, node, want):
    failure = Failure(failure_class=failure_class, reason=reason, message="m", node=node)
    assert [one.node for one in exclude_node((), failure, now=t0)] == want


def test_excluded_nodes_are_bounded_and_each_is_named_once(t0):
    nodes = ()
    for number in [*range(20), 19, 18]:
        failure = Failure(failure_class="Hang", reason="Stuck", message="m", node=f"n{number}")
        nodes = exclude_node(nodes, failure, now=t0 + timedelta(seconds=number))
    assert len(nodes) == MAX_EXCLUDED
    assert [one.node for one in nodes][-3:] == ["n17", "n19", "n18"]


@pytest.mark.parametrize(("wanted", "want"), [(True, ("n1",)), (False, ())])
def test_a_node_that_failed_an_attempt_is_kept_away_from_where_the_job_wishes_it(case, wanted, want):
    case.with_spec(recovery={"excludeFailedNodes": wanted}).planned().attempt()
    case.ray_job("Failed", "", reason="SubmissionFailed")
    case.observed(evidence=(PodEvidence(pod="w", node="n1", role="worker", disruption="DeletionByTaintManager"),))
    case.status = case.decide().status
    assert tuple(one.node for one in case.status.excluded_nodes) == want
    case.raw["ray_jobs"] = ()
    case.status = case.at(20).decide().status
    assert case.at(21).decide().run.excluded_nodes == want


def test_without_room_elsewhere_the_nodes_are_forgiven_before_the_job_fails(case, t0):
    case.planned().failed("Unschedulable").record(excluded_nodes=(ExcludedNode(node="n1", reason="Stuck", since=t0),))
    decision = case.at(20).decide()
    assert isinstance(decision.verdict, Begin)
    assert decision.status.excluded_nodes == ()
    case.status = decision.status
    case.status = case.record().failed("Unschedulable", number=3).status
    assert isinstance(case.at(60).decide().verdict, Finish)
