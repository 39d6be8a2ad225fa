"""Edits of a manifest, and the alternatives that the planner tried: each can be followed, and gives what was promised."""

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trivium.api import parse_job
from trivium.api.plan_status import Plan
from trivium.planning import PlanInput, Refusal, plan_stage, study_training
from trivium.planning.edits import Edit, apply_edit


def _study(job, profile, inspection=None, **more):
    return study_training(PlanInput(job=job, profile=profile, inspection=inspection, **more))


def _manifest(job):
    return job.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"status"})


def _merged(base, change):
    both = {key: _merged(base[key], value) for key, value in change.items() if isinstance(base.get(key), dict)}
    return {**base, **change, **both}


EDITS = [
    Edit(values=(("compute.workers", 4),)),
    Edit(values=(("data.maxLength", 2048), ("compute.workers", 8))),
    Edit(values=(("adapter", {"lora": {"rank": 16}}),)),
    Edit(values=(("adapter", {"lora": {"rank": 16}, "quantization": "nf4"}),)),
    Edit(values=(("parallelism.offload", "optimizer"),)),
    Edit(values=(("optimization.microBatchSize", 2),)),
]


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.sentence)
def test_the_yaml_of_an_edit_does_what_the_edit_does(make_job, edit):
    job = make_job("SFTJob")
    change = yaml.safe_load("\n".join(edit.yaml_lines()))
    by_hand = parse_job(_merged(_manifest(job), change))
    assert apply_edit(job, edit) == by_hand
    assert by_hand != job


def test_an_edit_is_said_in_one_sentence():
    both = Edit(values=(("compute.workers", 4),)) + Edit(
        values=(("adapter", {"lora": {"rank": 16}}),), remark=" to save"
    )
    assert both.sentence == "Set compute.workers: 4 and adapter: {lora: {rank: 16}} to save."
    assert both.lines() == (("compute.workers", "4"), ("adapter", "{lora: {rank: 16}}"))


def test_an_edit_that_the_api_refuses_gives_no_job(make_job):
    job = make_job("SFTJob", optimization={"globalBatchSize": 6})
    assert apply_edit(job, Edit(values=(("compute.workers", 4),))) is None
    assert apply_edit(job, Edit(values=(("compute.workers", 3),))) is not None


def test_an_edit_keeps_what_the_job_said_beside_it(make_job):
    job = make_job("SFTJob", adapter={"lora": {"targetModules": ["q_proj"]}})
    changed = apply_edit(job, Edit(values=(("adapter.quantization", "nf4"),)))
    assert changed.spec.adapter.lora.target_modules == ("q_proj",)
    assert changed.spec.adapter.quantization == "nf4"


@given(
    workers=st.sampled_from([1, 2, 4]),
    gpus=st.sampled_from([1, 2, 8]),
    length=st.sampled_from([1024, 8192, 65536]),
    memory=st.sampled_from(["24Gi", "40Gi", "80Gi"]),
    kind=st.sampled_from(["SFTJob", "PreferenceJob"]),
    micro=st.sampled_from(["auto", 1, 4]),
    elastic=st.booleans(),
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_every_alternative_is_a_plan_of_the_edited_manifest(
    make_job, make_profile, make_inspection, workers, gpus, length, memory, kind, micro, elastic
):
    compute = {"workers": workers, "gpusPerWorker": gpus, **({"minWorkers": 1} if elastic else {})}
    job = make_job(
        kind,
        compute=compute,
        data={"maxLength": length},
        optimization={"globalBatchSize": 768, "microBatchSize": micro},
    )
    profile = make_profile("h100", gpu={"memory": memory})
    study = _study(job, profile, make_inspection("8b", max_length=length))
    for one in study.alternatives:
        change = yaml.safe_load("\n".join(one.edit.yaml_lines()))
        edited = parse_job(_merged(_manifest(job), change))
        shorter = min(length, edited.spec.data.max_length)
        rows = -(-1000 * length // shorter)
        inspection = make_inspection("8b", max_length=shorter, train_sequences=rows)
        again = plan_stage(edited, stage="train", profile=profile, inspection=inspection)
        assert isinstance(again, Plan), one.edit.sentence
        assert again.model_copy(update={"notes": ()}) == one.plan
    if isinstance(study.result, Refusal) and study.alternatives:
        assert study.result.ways_out == tuple(one.edit.sentence for one in study.alternatives)


def test_a_study_finds_the_plan_that_the_operator_finds(make_job, make_profile, make_inspection):
    for job, memory in ((make_job("SFTJob"), "80Gi"), (make_job("SFTJob", compute={"gpusPerWorker": 1}), "24Gi")):
        profile, inspection = make_profile("h100", gpu={"memory": memory}), make_inspection("8b")
        want = plan_stage(job, stage="train", profile=profile, inspection=inspection)
        assert _study(job, profile, inspection).result == want


def test_of_a_job_that_has_run_only_the_size_can_still_be_changed(make_job, make_profile, make_inspection):
    profile, inspection = make_profile("h100"), make_inspection("8b")
    large = make_job("SFTJob", compute={"workers": 4, "gpusPerWorker": 1}, data={"maxLength": 8192})
    ran = plan_stage(large, stage="train", profile=profile, inspection=inspection)
    small = make_job("SFTJob", compute={"workers": 1, "gpusPerWorker": 1}, data={"maxLength": 8192})
    fresh = plan_stage(small, stage="train", profile=profile, inspection=inspection)
    refused = plan_stage(small, stage="train", profile=profile, inspection=inspection, previous=ran)
    assert any("adapter" in way for way in fresh.ways_out)
    assert refused.ways_out
    assert all(way.startswith("Set compute.workers:") for way in refused.ways_out)


def test_the_candidates_say_which_was_the_first_that_fits_and_keeps_busy(make_job, make_profile, make_inspection):
    study = _study(make_job("SFTJob"), make_profile("h100"), make_inspection("8b"))
    assert [(one.zero_stage, one.checkpointing) for one in study.candidates] == [
        (stage, ckpt) for stage in (1, 2, 3) for ckpt in (False, True)
    ]
    first = next(one for one in study.candidates if one.fits and one.busy)
    assert (first.zero_stage, first.checkpointing) == (study.result.zero_stage, study.result.gradient_checkpointing)
    assert first.micro_batch == study.result.sizes[-1].micro_batch_size
    assert first.memory.total == study.result.memory_per_gpu.needed
    assert all(one.memory.total > study.result.memory_per_gpu.available for one in study.candidates if not one.fits)


def test_a_refusal_for_another_reason_than_memory_has_no_alternatives(make_job, make_profile, make_inspection):
    job = make_job("SFTJob", model={"attention": "flash"})
    study = _study(job, make_profile("cpu"), make_inspection("tiny"))
    assert isinstance(study.result, Refusal)
    assert (study.candidates, study.alternatives) == ((), ())


def test_saving_memory_is_proposed_only_where_memory_is_short(make_job, make_profile, make_inspection):
    def changes(memory):
        profile = make_profile("h100", gpu={"memory": memory})
        study = _study(make_job("PreferenceJob", compute={"workers": 2}), profile, make_inspection("8b"))
        return {path for one in study.alternatives for path, _ in one.edit.values}

    assert {"parallelism.offload", "method.dpo.reference"} <= changes("80Gi")
    assert not {"parallelism.offload", "method.dpo.reference"} & changes("1000Gi")
    assert {"compute.workers", "adapter"} <= changes("1000Gi")


def test_offloading_promises_no_time_that_nobody_has_seen(make_job, make_profile, make_inspection):
    job = make_job("SFTJob", parallelism={"offload": "optimizer"}, compute={"workers": 2})
    plan = plan_stage(job, stage="train", profile=make_profile("h100"), inspection=make_inspection("8b"))
    assert plan.memory_per_gpu is not None
    assert (plan.estimated_seconds, plan.estimated_step_seconds, plan.efficiency_source) == (None, None, "")


def test_pretraining_from_scratch_is_never_sent_to_an_adapter(make_job, make_profile):
    job = make_job("PretrainJob", model={"architecture": {"preset": "llama-8b"}}, compute={"gpusPerWorker": 1})
    study = _study(job, make_profile("h100"))
    assert isinstance(study.result, Refusal)
    assert study.alternatives
    assert not any("adapter" in path for one in study.alternatives for path, _ in one.edit.values)


def test_a_preset_is_planned_before_anything_runs(make_job, make_profile):
    job = make_job("PretrainJob", optimization={"epochs": None, "tokens": "1M"})
    plan = plan_stage(job, stage="train", profile=make_profile("cpu"), inspection=None)
    assert (plan.provisional, plan.parameters, plan.packing) == (True, 2_557_632, True)
    # Rows of 256 tokens, 32 a step: 1,000,000 / 8,192, rounded up.
    assert plan.total_steps == 123
    assert plan.tokens_per_step == 8192
    unknown = make_job("PretrainJob", model={"architecture": {"preset": "llama-9t"}})
    refusal = plan_stage(unknown, stage="train", profile=make_profile("cpu"), inspection=None)
    assert refusal.field == "spec.model.architecture.preset"
    assert "llama-tiny" in refusal.message


def test_so_small_a_model_is_not_said_to_train_in_no_time(make_job, make_profile, make_inspection):
    plan = plan_stage(
        make_job("SFTJob"), stage="train", profile=make_profile("h100"), inspection=make_inspection("tiny")
    )
    # Four layers, one millisecond each for every micro-batch.
    assert plan.estimated_step_seconds == pytest.approx(0.004 * plan.sizes[-1].gradient_accumulation)
    assert "waits for its kernels" in plan.efficiency_source
    assert plan.efficiency < 0.4
