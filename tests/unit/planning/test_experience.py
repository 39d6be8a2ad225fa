"""What finished jobs teach: from which of them, how it is said, and that a later plan uses it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivium.api.plan_status import Plan, PlanOutcome
from trivium.planning import newest_first, plan_stage
from trivium.planning.experience import (
    FinishedStage,
    count_failures,
    learn_save,
    learn_speed,
    learn_start,
    read_finished,
)

PLAN = Plan(
    profile="h100",
    workers=2,
    gpus_per_worker=8,
    gpus=16,
    parameters=8_000_000_000,
    zero_stage=1,
    precision="bfloat16",
    attention="flash_attention_2",
    flops_per_step=1e16,
    total_steps=100,
)


def finished(*, kind="SFTJob", adapter=False, ended_at="2026-11-01T00:00:00Z", plan=None, **outcome):
    outcome = {"seconds": 1000.0, "steps": 100, "start_seconds": 90.0, "save_seconds": 5.0, **outcome}
    return FinishedStage(
        kind=kind,
        adapter=adapter,
        ended_at=ended_at,
        plan=PLAN.model_copy(update=plan or {}),
        outcome=PlanOutcome(**outcome),
    )


def _speed(*stages, plan=PLAN, kind="SFTJob", adapter=False):
    return learn_speed(stages, plan=plan, kind=kind, adapter=adapter)


def test_speed_is_the_flops_of_all_steps_by_time_and_rank():
    # 1e16 · 100 steps in 1,000 s on 16 GPUs.
    assert _speed(finished()).value == 1e16 * 100 / 1000 / 16


def test_the_median_of_the_same_shape_is_taken_and_counted():
    learned = _speed(finished(seconds=1000), finished(seconds=500), finished(seconds=10_000))
    assert learned.value == 1e16 * 100 / 1000 / 16
    assert (learned.jobs, learned.same_shape) == (3, True)
    assert learned.lowest < learned.value < learned.highest
    assert learned.source == "learned from 3 finished jobs of this shape"
    assert _speed(finished()).source == "learned from 1 finished job of this shape"


OTHERS = [
    {"kind": "PreferenceJob"},
    {"adapter": True},
    {"plan": {"precision": "float32"}},
    {"plan": {"attention": "sdpa"}},
    {"plan": {"zero_stage": 3}},
    {"plan": {"offload": "optimizer"}},
    {"plan": {"gradient_checkpointing": True}},
    {"plan": {"liger": True}},
    {"plan": {"packing": True}},
    {"plan": {"parameters": 70_000_000_000}},
    {"plan": {"gpus": 512}},
    {"plan": {"flops_per_step": None}},
    {"seconds": 0.0},
    {"steps": 0},
]


@pytest.mark.parametrize("other", OTHERS)
def test_a_job_of_another_shape_teaches_no_speed(other):
    assert _speed(finished(**other)) is None
    assert _speed(finished(**other), finished()).jobs == 1


def test_before_the_data_is_seen_it_is_not_known_whether_rows_are_packed():
    packed = finished(plan={"packing": True})
    assert _speed(packed) is None
    assert _speed(packed, plan=PLAN.model_copy(update={"provisional": True})).same_shape


@pytest.mark.parametrize("similar", [{"parameters": 5_000_000_000}, {"gpus": 8}, {"gpus": 64}])
def test_a_similar_shape_is_second_best_and_says_so(similar):
    learned = _speed(finished(plan=similar))
    assert not learned.same_shape
    assert learned.source == "learned from 1 finished job of a similar shape"
    assert _speed(finished(plan=similar), finished()).same_shape


def test_a_run_that_was_interrupted_counts_only_where_no_other_is():
    disturbed = finished(seconds=5000, interruptions=2)
    assert _speed(disturbed, finished()).value == _speed(finished()).value
    assert _speed(disturbed).value == _speed(finished()).value / 5


def test_models_of_unknown_size_are_not_alike():
    unknown = PLAN.model_copy(update={"parameters": 0})
    assert _speed(finished(plan={"parameters": 0}), plan=unknown) is None


def test_only_the_newest_sixteen_are_heard():
    new, old = [finished(seconds=500)] * 16, [finished(seconds=5000)] * 100
    assert _speed(*new, *old).value == _speed(finished(seconds=500)).value


def test_start_and_save_are_learned_from_models_of_the_size():
    large = finished(plan={"parameters": 70_000_000_000}, start_seconds=900.0, save_seconds=60.0)
    stages = (large, finished(start_seconds=80.0), finished(start_seconds=100.0), finished(kind="PretrainJob"))
    assert learn_start(stages, plan=PLAN).value == 90.0
    assert learn_save(stages, plan=PLAN, adapter=False).value == 5.0
    assert learn_save(stages, plan=PLAN, adapter=True) is None
    assert learn_start((finished(start_seconds=None),), plan=PLAN) is None


def test_failures_are_counted_by_the_time_of_all_ranks():
    # (1,000 s of training + 90 s of start) · 16 GPUs, twice.
    assert count_failures([finished(interruptions=2), finished()]) == (2, 2 * 1090 * 16)


def _manifest(name="a", *, ended_at="2026-11-01T00:00:00Z", state="Succeeded", profile="h100", outcome=True, **spec):
    plan = PLAN.model_copy(
        update={"profile": profile, "outcome": PlanOutcome(seconds=1.0, steps=1) if outcome else None}
    )
    stage = {"name": "train", "state": state, "plan": plan.model_dump(mode="json", by_alias=True, exclude_none=True)}
    status = {"endedAt": ended_at, "stages": [{"name": "prepare", "state": "Succeeded"}, stage]}
    return {"kind": "SFTJob", "metadata": {"name": name}, "spec": spec, "status": status}


def test_a_finished_job_is_read_from_its_status_alone():
    stage = read_finished(_manifest(adapter={}))
    assert (stage.kind, stage.adapter, stage.ended_at) == ("SFTJob", True, "2026-11-01T00:00:00Z")
    assert stage.outcome.steps == 1
    assert stage.plan.gpus == 16
    assert not read_finished(_manifest()).adapter


def _broken():
    manifest = _manifest()
    manifest["status"]["stages"][1]["plan"]["workers"] = "many"
    return manifest


NOTHING = [
    {"kind": "SFTJob", "metadata": {}},
    {"kind": "SFTJob", "metadata": {}, "status": {}},
    _manifest(state="Failed"),
    _manifest(outcome=False),
    _broken(),
]


@pytest.mark.parametrize("manifest", NOTHING)
def test_a_job_that_says_nothing_teaches_nothing(manifest):
    assert read_finished(manifest) is None
    assert newest_first([manifest], profile="h100") == ()


@given(st.permutations(range(1, 9)))
def test_the_newest_come_first_and_only_those_of_the_profile(days):
    jobs = [_manifest(ended_at=f"2026-11-0{day}T00:00:00Z", profile="h100" if day % 2 else "cpu") for day in days]
    stages = newest_first(jobs, profile="h100")
    assert [int(stage.ended_at[8:10]) for stage in stages] == [7, 5, 3, 1]


def _as_finished(job, plan, *, seconds, start=55.0):
    outcome = PlanOutcome(seconds=seconds, steps=plan.total_steps, start_seconds=start)
    return FinishedStage(kind=job.kind, adapter=False, ended_at="", plan=plan, outcome=outcome)


def test_a_second_job_of_the_shape_is_predicted_as_the_first_one_ran(make_job, make_profile, make_inspection):
    job, profile, inspection = make_job("SFTJob", compute={"workers": 2}), make_profile("h100"), make_inspection("8b")
    first = plan_stage(job, stage="train", profile=profile, inspection=inspection)
    assert first.efficiency_source.startswith("assumed: 40%")
    ran = 1.7 * first.estimated_seconds
    second = plan_stage(
        job,
        stage="train",
        profile=profile,
        inspection=inspection,
        finished=(_as_finished(job, first, seconds=ran),),
    )
    assert second.estimated_seconds == pytest.approx(ran, rel=1e-3)
    assert second.efficiency == pytest.approx(first.efficiency / 1.7, rel=1e-3)
    assert second.efficiency_source.startswith("learned from 1 finished job of this shape")
    assert second.start_seconds == 55.0
    assert any("learned from 1 finished job" in note for note in second.notes)


def test_a_laptop_without_a_peak_learns_its_time_all_the_same(make_job, make_profile, make_inspection):
    job, profile, inspection = make_job("PretrainJob"), make_profile("cpu"), make_inspection("tiny")
    first = plan_stage(job, stage="train", profile=profile, inspection=inspection)
    assert first.estimated_seconds is None
    ran = _as_finished(job, first, seconds=240.0)
    longer = make_job("PretrainJob", optimization={"epochs": 2})
    second = plan_stage(longer, stage="train", profile=profile, inspection=inspection, finished=(ran,))
    # 2,000 rows in batches of 32 are 63 steps; the first job's 1,000 rows were 32.
    assert second.estimated_seconds == pytest.approx(240 * 63 / 32, rel=1e-3)
    assert (second.efficiency, second.estimated_gpu_hours, second.estimated_cost) == (None, None, None)
    assert "GFLOPS a worker" in second.efficiency_source


def test_what_is_faster_than_the_peak_is_not_believed(make_job, make_profile, make_inspection):
    job, profile, inspection = make_job("SFTJob", compute={"workers": 2}), make_profile("h100"), make_inspection("8b")
    first = plan_stage(job, stage="train", profile=profile, inspection=inspection)
    impossible = _as_finished(job, first, seconds=first.estimated_seconds / 10)
    again = plan_stage(job, stage="train", profile=profile, inspection=inspection, finished=(impossible,))
    assert again.efficiency == first.efficiency
