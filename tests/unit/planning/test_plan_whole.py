"""A plan as a whole: what it takes over from the profile and the job, and what stays open before the data is seen."""

import pytest

from trivium.api.plan_status import StoragePlan
from trivium.planning.train_plan import PlanInput, plan_training

OF_THE_PROFILE = {
    "profile": "h100",
    "profile_generation": 3,
    "image": "registry.example/trainer@sha256:2",
    "ray_version": "2.60.0",
    "trainer_version": "v1alpha1",
    "runs": StoragePlan(claim_name="runs"),
}


@pytest.fixture
def plan(make_job, make_profile):
    """plan(kind, spec changes, inspection or None, **more of PlanInput)."""

    def make(kind, spec=None, inspection=None, **more):
        job = make_job(kind, **(spec or {}))
        profile = make_profile("h100", trainerVersion="v1alpha1")
        return plan_training(PlanInput(job=job, profile=profile, inspection=inspection, **more))

    return make


def _some(plan, *names):
    return {name: getattr(plan, name) for name in names}


def test_it_takes_over_what_the_profile_says(plan, make_inspection):
    for inspection in (None, make_inspection("8b")):
        assert _some(plan("SFTJob", inspection=inspection), *OF_THE_PROFILE) == OF_THE_PROFILE


def test_of_an_unknown_model_only_what_needs_no_model_is_said(plan):
    found = plan("SFTJob", {"compute": {"workers": 2}, "optimization": {"globalBatchSize": 64}})
    assert _some(found, "provisional", "parameters", "zero_stage", "sizes", "memory_per_gpu", "flops_per_step") == {
        "provisional": True, "parameters": 0, "zero_stage": 1, "sizes": (), "memory_per_gpu": None,
        "flops_per_step": None,
    }  # fmt: skip
    assert _some(found, "workers", "min_workers", "gpus_per_worker", "gpus", "offload", "precision", "attention") == {
        "workers": 2, "min_workers": 0, "gpus_per_worker": 8, "gpus": 16, "offload": "none", "precision": "bfloat16",
        "attention": "flash_attention_2",
    }  # fmt: skip
    assert (found.global_batch_size, found.tokens_per_step, found.examples_per_step) == (64, 64 * 4096, None)


def test_the_lowest_stage_that_is_allowed_stands_until_the_model_is_known(plan):
    assert plan("SFTJob", {"parallelism": {"zeroStage": 2}}).zero_stage == 2


@pytest.mark.parametrize(
    ("kind", "packing", "want"),
    [
        ("SFTJob", "auto", False),
        ("SFTJob", "enabled", True),
        ("SFTJob", "disabled", False),
        ("PretrainJob", None, True),
    ],
)
def test_before_the_data_is_seen_rows_count_as_packed_only_where_that_is_sure(plan, kind, packing, want):
    spec = {} if packing is None else {"data": {"packing": packing}}
    assert plan(kind, spec).packing is want


def test_an_elastic_job_says_its_fewest_workers(plan, make_inspection):
    spec = {"compute": {"workers": 4, "minWorkers": 2}, "optimization": {"globalBatchSize": 96}}
    found = plan("SFTJob", spec, make_inspection("8b"))
    assert _some(found, "workers", "min_workers", "gpus") == {"workers": 4, "min_workers": 2, "gpus": 32}
    assert {size.world_size for size in found.sizes} == {16, 24, 32}


def test_the_seen_model_brings_its_sizes(plan, make_inspection):
    found = plan("SFTJob", {"compute": {"workers": 1}}, make_inspection("8b"))
    assert (found.provisional, found.parameters, found.packing) == (False, 8_030_261_248, True)
    assert found.memory_per_gpu.needed == sum(found.memory_per_gpu.breakdown.values())
    assert all(found.memory_per_gpu.breakdown.values()), "parts of nothing are left out"
    assert found.memory_per_gpu.needed <= found.memory_per_gpu.available == 80 * 1024**3


def test_a_packed_row_holds_several_examples_and_a_document_counts_for_nothing(plan, make_inspection):
    seen = make_inspection("8b", train_sequences=1000, train_examples=4000)
    assert plan("SFTJob", {"optimization": {"globalBatchSize": 32}}, seen).examples_per_step == 128.0
    rows = make_inspection("tiny", train_sequences=1000, train_examples=4000)
    assert plan("PretrainJob", inspection=rows).examples_per_step is None


def test_of_preferences_twice_as_many_sequences_pass_as_pairs(plan, make_inspection):
    seen = make_inspection("8b", packing=False, max_length=1024)
    sft = plan("SFTJob", {"data": {"maxLength": 1024}, "optimization": {"globalBatchSize": 32}}, seen)
    dpo = plan("PreferenceJob", {"optimization": {"globalBatchSize": 32}}, seen)
    assert (sft.tokens_per_step, dpo.tokens_per_step) == (32 * 1024, 2 * 32 * 1024)
    # Six per weight and token for training, and two for the reference, which is asked beside it.
    assert dpo.flops_per_step / sft.flops_per_step == pytest.approx(2 * 8 / 6, rel=0.05)


def test_a_frozen_stage_holds_for_what_has_run(plan, make_inspection):
    first = plan("SFTJob", {"parallelism": {"zeroStage": 3}}, make_inspection("8b"))
    assert first.zero_stage == 3
    assert plan("SFTJob", inspection=make_inspection("8b"), previous=first).zero_stage == 3
    provisional = first.model_copy(update={"provisional": True})
    fresh = plan("SFTJob", inspection=make_inspection("8b"))
    assert plan("SFTJob", inspection=make_inspection("8b"), previous=provisional).zero_stage == fresh.zero_stage
