"""Elastic jobs: a cut of the batch for every number of workers, or a refusal whose ways out are accepted."""

import re

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from trivium.api.plan_status import Plan
from trivium.planning import Refusal, plan_stage


def _train(job, profile, inspection):
    return plan_stage(job, stage="train", profile=profile, inspection=inspection)


def _sizes(plan):
    return [(s.world_size, s.micro_batch_size, s.gradient_accumulation) for s in plan.sizes]


def test_every_number_of_workers_between_the_bounds_has_its_cut(make_job, make_profile, make_inspection):
    job = make_job("SFTJob", compute={"workers": 4, "minWorkers": 2}, optimization={"globalBatchSize": 192})
    plan = _train(job, make_profile("h100"), make_inspection("8b"))
    # 2, 3 and 4 workers with eight GPUs each.
    assert [world for world, _, _ in _sizes(plan)] == [16, 24, 32]
    assert [a * b * c for a, b, c in _sizes(plan)] == [192] * 3
    assert plan.min_workers == 2
    assert any("goes on with 2 to 4 workers" in note for note in plan.notes)


def test_a_fixed_size_says_nothing_of_fewer_workers(make_job, make_profile, make_inspection):
    for compute in ({"workers": 4}, {"workers": 4, "minWorkers": 4}):
        plan = _train(make_job("SFTJob", compute=compute), make_profile("h100"), make_inspection("8b"))
        assert plan.min_workers == 0
        assert len(plan.sizes) == 1


def test_the_memory_shown_is_that_of_the_hungriest_size(make_job, make_profile, make_inspection):
    def needed(**compute):
        job = make_job(
            "SFTJob", compute={"gpusPerWorker": 8, **compute}, optimization={"globalBatchSize": 64, "microBatchSize": 1}
        )
        return _train(job, make_profile("h100", gpu={"memory": "141Gi"}), make_inspection("8b")).memory_per_gpu.needed

    # The same ZeRO stage divides among fewer ranks: more for each.
    assert needed(workers=2, minWorkers=1) == needed(workers=1) > needed(workers=2)


def test_what_fits_only_at_full_size_is_refused_with_a_higher_minimum(make_job, make_profile, make_inspection):
    def plan(memory, workers, minimum):
        job = make_job(
            "SFTJob",
            compute={"workers": workers, "minWorkers": minimum, "gpusPerWorker": 2},
            optimization={"globalBatchSize": 192, "microBatchSize": 1},
            parallelism={"zeroStage": 3, "gradientCheckpointing": "enabled"},
        )
        return _train(job, make_profile("h100", gpu={"memory": memory}), make_inspection("8b"))

    most, least = (plan("288Gi", workers, workers).memory_per_gpu.needed for workers in (1, 4))
    between = str((most + least) // 2)
    refusal = plan(between, 4, 1)
    assert isinstance(refusal, Refusal)
    way = next(way for way in refusal.ways_out if "minWorkers" in way)
    fewest = int(re.search(r"compute\.minWorkers: (\d+)", way).group(1))
    assert 1 < fewest <= 4
    assert isinstance(plan(between, 4, fewest), Plan)
    assert isinstance(plan(between, 4, fewest - 1), Refusal)


@given(
    workers=st.integers(1, 12),
    fewest=st.integers(1, 12),
    gpus=st.sampled_from([1, 2, 8]),
    batch=st.integers(1, 40),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_batch_is_exact_at_every_size_or_its_refusal_names_what_is(
    make_job, make_profile, make_inspection, workers, fewest, gpus, batch
):
    assume(fewest <= workers)
    profile, inspection = make_profile("h100"), make_inspection("tiny")
    batch = batch * workers * gpus  # the API's own rule asks for this much

    def plan(minimum, size):
        job = make_job(
            "SFTJob",
            compute={"workers": workers, "minWorkers": minimum, "gpusPerWorker": gpus},
            optimization={"globalBatchSize": size},
        )
        return _train(job, profile, inspection)

    planned = plan(fewest, batch)
    if isinstance(planned, Plan):
        assert [world for world, _, _ in _sizes(planned)] == [n * gpus for n in range(fewest, workers + 1)]
        assert {a * b * c for a, b, c in _sizes(planned)} == {batch}
        return
    assert planned.field == "spec.optimization.globalBatchSize"
    sizes = re.search(r"globalBatchSize: ([\d or]+)\.", planned.message)
    for size in sizes.group(1).split(" or ") if sizes else []:
        assert isinstance(plan(fewest, int(size)), Plan)
    # All workers divide the batch, so some minimum does.
    minimum = int(re.search(r"compute\.minWorkers: (\d+)", planned.message).group(1))
    assert isinstance(plan(minimum, batch), Plan)
    assert isinstance(plan(minimum - 1, batch), Refusal)


def test_no_batch_beyond_the_apis_bound_is_proposed(make_job, make_profile, make_inspection):
    # The least common multiple of 1 to 20 has nine digits.
    job = make_job(
        "SFTJob", compute={"workers": 20, "minWorkers": 1, "gpusPerWorker": 1}, optimization={"globalBatchSize": 40}
    )
    refusal = _train(job, make_profile("h100"), make_inspection("tiny"))
    assert "globalBatchSize: 2" not in refusal.message
    assert refusal.ways_out == ("Set compute.minWorkers: 20.",)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_override_of_the_workers_lowers_the_minimum_with_it(make_job, make_profile, make_inspection, workers):
    job = make_job("SFTJob", compute={"workers": 4, "minWorkers": 3}, optimization={"globalBatchSize": 96})
    plan = plan_stage(
        job, stage="train", profile=make_profile("cpu"), inspection=make_inspection("tiny"), workers=workers
    )
    assert [world for world, _, _ in _sizes(plan)] == [workers]


# (workers, minWorkers, gpusPerWorker; globalBatchSize; the problem; the ways out)
MESSAGES = [
    (
        {"workers": 4, "minWorkers": 2, "gpusPerWorker": 8},
        128,
        "128 is not a multiple of 24 ranks (2 to 4 workers with 8 each; it must divide for every number of them)",
        ("Set globalBatchSize: 96 or 192.", "Or set compute.minWorkers: 4."),
    ),
    # Where gpusPerWorker is the profile's, the API's own rule sees only the workers.
    (
        {"workers": 3},
        33,
        "33 is not a multiple of 24 ranks (3 workers with 8 each)",
        ("Set globalBatchSize: 24 or 48.", "Or change compute.workers."),
    ),
    (
        {"workers": 10_000},
        990_000,
        "990000 is not a multiple of 80000 ranks (10000 workers with 8 each)",
        ("Set globalBatchSize: 960000.", "Or change compute.workers."),
    ),
]


@pytest.mark.parametrize(("compute", "batch", "problem", "ways"), MESSAGES)
def test_a_remainder_is_told_with_all_that_would_do(
    make_job, make_profile, make_inspection, compute, batch, problem, ways
):
    job = make_job("SFTJob", compute=compute, optimization={"globalBatchSize": batch})
    refusal = _train(job, make_profile("h100"), make_inspection("tiny"))
    assert (refusal.field, refusal.problem, refusal.ways_out) == ("spec.optimization.globalBatchSize", problem, ways)


def test_ten_thousand_workers_are_refused_at_once(make_job, make_profile, make_inspection):
    job = make_job(
        "SFTJob",
        compute={"workers": 10_000, "minWorkers": 1, "gpusPerWorker": 1},
        optimization={"globalBatchSize": 1_000_000},
    )
    refusal = _train(job, make_profile("h100"), make_inspection("tiny"))
    # 1,000,000 is no multiple of 9,999; their least common multiple has thousands of digits and is never made.
    assert refusal.ways_out == ("Set compute.minWorkers: 10000.",)
