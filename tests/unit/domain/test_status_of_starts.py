"""What status records when a job is planned, an attempt begins, waits again, or is told to stop."""

from datetime import timedelta

import pytest

from trivium.api.status import Attempt, CheckpointStatus, Failure, LineageEntry, Skip, StageStatus, UpstreamStatus
from trivium.domain.status import compose_status
from trivium.domain.verdict import Adopt, AdoptUpstream, Begin, QueuePlace, RequestStop, Rerun

FAILURE = Failure(failure_class="Preempted", reason="QuotaTaken", message="Taken.", node="n1")
RUN = "pvc://runs/team/SFTJob/a/uid-a/train/checkpoints"


def begin(case, **fields):
    plan = next(one.plan for one in case.status.stages if one.name == fields.get("stage", "train"))
    values = {"stage": "train", "plan": plan, "workers": 1, "place": QueuePlace(), "is_restart": False}
    return compose_status(case.situation, Begin(**(values | fields)))


def checkpoint(case, **fields):
    return CheckpointStatus(step=40, uri=f"{RUN}/step-00000040", at=case.time, **fields)


def with_checkpoint(case, found):
    train = case.status.stages[1].model_copy(update={"checkpoint": found})
    return case.record(stages=(case.status.stages[0], train), checkpoint=found)


def test_the_first_attempt_of_a_job_is_recorded_whole(case, t0):
    case.planned(gpus_per_worker=2).at(5)
    status = begin(case, workers=3, place=QueuePlace(queue="b", priority="high"))
    now = t0 + timedelta(seconds=5)
    assert status.attempts == (
        Attempt(
            number=1,
            stage="train",
            ray_job="a-train-1",
            run=1,
            queue="b",
            priority="high",
            queued=True,
            started_at=now,
            workers=3,
            gpus=6,
            micro_batch_size=4,
        ),
    )
    assert (status.stage, status.queue, status.started_at, status.restarts) == ("train", "b", now, 0)
    assert (status.stages[1].state, status.plan, status.observed_generation) == (
        "Running",
        case.status.stages[1].plan,
        2,
    )
    assert status.skips == ()


def test_a_later_attempt_goes_on_from_the_checkpoint(case, t0):
    with_checkpoint(case.planned().failed(number=3), checkpoint(case)).record(
        started_at=t0, restarts=4, suspend_requested_at=t0, progress={"step": 40}, queue="b"
    )
    status = begin(case.at(60), is_restart=True)
    attempt = status.attempts[-1]
    assert (attempt.number, attempt.ray_job, attempt.run) == (4, "a-train-4", 4)
    assert (attempt.first_step, attempt.last_step, attempt.queued) == (40, 40, False)
    assert (status.started_at, status.restarts, status.suspend_requested_at) == (t0, 5, None)
    assert (status.checkpoint, status.stages[1].checkpoint) == (case.status.checkpoint, case.status.checkpoint)
    assert (status.progress.step, status.queue) == (40, "")


def test_another_stage_begins_without_the_progress_of_the_one_before(case):
    case.planned().attempt(stage="prepare", ended_at=case.time, outcome="Complete")
    status = begin(case.record(progress={"step": 7}, stage="prepare"))
    assert (status.stage, status.progress, status.restarts) == ("train", None, 0)


@pytest.mark.parametrize(("rollback_to", "kept"), [(20, (10, 20)), (0, ())])
def test_a_rollback_goes_on_from_the_checkpoint_that_it_names(case, t0, rollback_to, kept):
    with_checkpoint(case.planned().failed("Diverged"), checkpoint(case, kept=(10, 20, 40))).at(9)
    skip = Skip(data_step=41, steps=2, rollback_to=rollback_to, at=t0)
    status = begin(case, skip=skip)
    want = CheckpointStatus(step=20, uri=f"{RUN}/step-00000020", at=t0 + timedelta(seconds=9), kept=kept)
    assert status.checkpoint == (want if rollback_to else None)
    assert status.skips == (skip,)
    assert (status.attempts[-1].first_step, status.attempts[-1].last_step) == (rollback_to, rollback_to)


@pytest.mark.parametrize(("forgive", "left"), [(True, 0), (False, 1)])
def test_excluded_nodes_are_forgiven_only_where_the_verdict_says_so(case, forgive, left):
    case.planned().failed().record(excluded_nodes=({"node": "n1", "reason": "R", "since": case.time},))
    assert len(begin(case, forgive_nodes=forgive).excluded_nodes) == left


def test_the_last_ten_attempts_are_kept(case):
    case.planned()
    for number in range(1, 11):
        case.failed(number=number)
    assert [one.number for one in begin(case).attempts] == list(range(2, 12))
    case.status = case.status.model_copy(update={"attempts": case.status.attempts[:9]})
    case.attempt(number=10)
    assert [one.number for one in compose_status(case.situation, Rerun(failure=FAILURE)).attempts] == list(range(2, 12))


@pytest.mark.parametrize(("run", "step"), [(1, 40), (0, 0)])
def test_the_same_ray_job_waits_again_as_the_same_attempt_with_a_new_number(case, t0, run, step):
    place = {"queue": "b", "priority": "high", "queued": True, "admitted_at": t0}
    machines = {"workers": 3, "gpus": 6, "micro_batch_size": 2}
    case.planned().attempt(
        number=2, ray_job="a-train-1", ray_job_uid="u", run=run, ray_cluster="c1", **place, **machines
    )
    if step:
        with_checkpoint(case, checkpoint(case))
    status = compose_status(case.record(restarts=1).at(50).situation, Rerun(failure=FAILURE))
    old, new = status.attempts
    assert (old.outcome, old.failure, old.ended_at) == ("Failed", FAILURE, t0 + timedelta(seconds=50))
    assert new == Attempt(
        number=3,
        stage="train",
        ray_job="a-train-1",
        ray_job_uid="u",
        run=run or 2,
        queue="b",
        priority="high",
        queued=True,
        started_at=t0 + timedelta(seconds=50),
        first_step=step,
        last_step=step,
        **machines,
    )
    assert status.restarts == 2


def test_a_stop_is_asked_for_now(case, t0):
    case.planned().attempt(running_at=t0).ray_job().at(7)
    assert compose_status(case.situation, RequestStop()).suspend_requested_at == t0 + timedelta(seconds=7)


def test_an_upstream_is_recorded_with_all_that_came_before_it(case):
    first = LineageEntry(kind="PretrainJob", name="first", uid="u0")
    upstream = UpstreamStatus(
        kind="SFTJob",
        name="b",
        uid="u1",
        claim_name="runs",
        output_path="o",
        run_path="r",
        digest="d",
        lineage=(first,),
    )
    status = compose_status(case.situation, AdoptUpstream(upstream=upstream))
    assert status.upstream == upstream
    assert status.lineage == (first, LineageEntry(kind="SFTJob", name="b", uid="u1", digest="d"))


def stages(case, *states):
    plans = [one.plan.model_copy(update={"image": one.name}) for one in case.planned().status.stages]
    names = ("prepare", "train")
    return tuple(StageStatus(name=n, state=s, plan=p) for n, s, p in zip(names, states, plans, strict=True))


@pytest.mark.parametrize(
    ("states", "current"),
    [(("Pending", "Pending"), "prepare"), (("Succeeded", "Running"), "train"), (("Succeeded", "Succeeded"), "train")],
)
def test_the_current_stage_is_the_first_that_is_not_over(case, states, current):
    adopted = stages(case, *states)
    status = compose_status(case.situation, Adopt(stages=adopted))
    assert (status.stages, status.stage, status.plan.image) == (adopted, current, current)


@pytest.mark.parametrize(
    ("planned", "known", "want"), [(False, None, 2.5), (False, 9.0, 2.5), (True, 9.0, 9.0), (True, None, None)]
)
def test_the_price_is_the_one_of_the_day_on_which_the_job_was_planned(new_case, planned, known, want):
    case, adopted = new_case(), stages(new_case(), "Pending", "Pending")
    profile = case.raw["profiles"][0]
    case.observed(profiles=({**profile, "spec": {**profile["spec"], "pricePerGPUHour": 2.5}},))
    case.record(price_per_gpu_hour=known, stages=adopted if planned else ())
    assert compose_status(case.situation, Adopt(stages=adopted)).price_per_gpu_hour == want


@pytest.mark.parametrize(
    ("profiles", "want"), [({"cpu": 1.0}, 1.0), ({"cpu": None}, None), ({}, None), ({"cpu": 1.0, "small": 9.0}, 1.0)]
)
def test_the_price_is_the_one_of_the_machines_that_train(new_case, profiles, want):
    case, adopted = new_case(), stages(new_case(), "Pending", "Pending")
    base = case.raw["profiles"][0]["spec"] | ({"prepareProfile": "small"} if "small" in profiles else {})
    case.observed(
        profiles=tuple(
            case.raw["profiles"][0]
            | {"metadata": {"name": name, "generation": 1}}
            | {"spec": base | {"default": name == "cpu"} | ({"pricePerGPUHour": price} if price else {})}
            for name, price in profiles.items()
        )
    )
    assert compose_status(case.situation, Adopt(stages=adopted)).price_per_gpu_hour == want


@pytest.mark.parametrize(("known", "want"), [("", "digest"), ("old", "old")])
def test_the_digest_of_the_spec_is_taken_once(case, known, want):
    adopted = stages(case, "Pending", "Pending")
    case.record(spec_digest=known)
    assert compose_status(case.situation, Adopt(stages=adopted)).spec_digest == want
