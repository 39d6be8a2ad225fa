"""Whole plans, and refusals whose ways out are followed and then accepted."""

import re

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trivium.api.plan_status import Plan, SizePlan
from trivium.planning import PlanInput, Refusal, plan_stage, shrink, stage_profile_name, study_training


def _train(job, profile, inspection, **arguments):
    return plan_stage(job, stage="train", profile=profile, inspection=inspection, **arguments)


def _sizes(plan):
    return [(s.world_size, s.micro_batch_size, s.gradient_accumulation) for s in plan.sizes]


def test_a_tiny_model_on_cpu_trains_in_float32_without_zero(make_job, make_profile, make_inspection):
    plan = _train(make_job("PretrainJob", compute={"workers": 2}), make_profile("cpu"), make_inspection("tiny"))
    assert (plan.precision, plan.attention, plan.zero_stage, plan.gpus) == ("float32", "sdpa", 0, 0)
    assert plan.parameters == 2_557_632
    # 32 sequences over 2 ranks are 16 each; 16 rows of 256 tokens are the 4,096 that a CPU micro-batch may have.
    assert _sizes(plan) == [(2, 16, 1)]
    assert plan.total_steps == 32  # ceil(1000 / 32)
    assert plan.examples_per_step is None, "documents are no examples"
    assert plan.memory_per_gpu.needed == sum(plan.memory_per_gpu.breakdown.values())
    assert plan.estimated_seconds is None, "a profile without a peak promises no time"
    assert not plan.provisional


def test_eight_billion_parameters_need_zero_on_sixteen_gpus(make_job, make_profile, make_inspection):
    plan = _train(make_job("SFTJob", compute={"workers": 2}), make_profile("h100"), make_inspection("8b"))
    assert (plan.precision, plan.attention, plan.liger, plan.gpus) == ("bfloat16", "flash_attention_2", True, 16)
    assert plan.zero_stage in {1, 2, 3}
    # Adam's three float32 copies, divided among 16 ranks.
    assert plan.memory_per_gpu.breakdown["optimizer"] == pytest.approx(12 * 8_030_261_248 / 16, rel=1e-6)
    assert plan.learning_rate == 2e-5
    assert plan.examples_per_step == 128  # 32 rows of 4 examples
    assert plan.epochs == 3
    assert plan.total_steps == 94  # ceil(3 · 1000 / 32)
    # The GPUs are held from the start of the pods on.
    held = plan.start_seconds + plan.estimated_seconds
    assert plan.estimated_gpu_hours == pytest.approx(held * 16 / 3600, rel=1e-3)
    assert plan.estimated_cost == pytest.approx(2.5 * plan.estimated_gpu_hours, rel=1e-2)


def test_an_adapter_trains_only_its_own_parameters(make_job, make_profile, make_inspection):
    job = make_job("SFTJob", adapter={"lora": {"rank": 8}}, compute={"gpusPerWorker": 1})
    plan = _train(job, make_profile("h100"), make_inspection("8b"))
    # rank 8 on q, k, v, o, gate, up, down of 32 layers: 8·32·(2·(4096+4096) + 2·(4096+1024) + 3·(4096+14336))
    trainable = 8 * 32 * (2 * 8192 + 2 * 5120 + 3 * 18432)
    assert plan.memory_per_gpu.breakdown["optimizer"] == 12 * trainable
    assert plan.memory_per_gpu.breakdown["weights"] == 2 * (8_030_261_248 + trainable)
    assert plan.learning_rate == 2e-4
    assert plan.gpus == 1


def test_an_adapter_also_trains_the_rows_of_new_tokens(make_job, make_profile, make_inspection):
    job = make_job("SFTJob", adapter={"lora": {"rank": 8}}, compute={"gpusPerWorker": 1})
    without, with_three = (
        _train(job, make_profile("h100"), make_inspection("8b", added_tokens=tokens)).memory_per_gpu.breakdown
        for tokens in (0, 3)
    )
    assert with_three["optimizer"] - without["optimizer"] == 12 * 3 * 4096


@pytest.mark.parametrize(
    ("spec", "copies"),
    [
        ({"method": {"dpo": {}}}, 1),
        ({"method": {"dpo": {"reference": "precomputed"}}}, 0),
        ({"method": {"dpo": {}}, "adapter": {}}, 0),
    ],
)
def test_only_a_live_reference_without_adapter_is_a_second_model(make_job, make_profile, make_inspection, spec, copies):
    plan = _train(make_job("PreferenceJob", **spec), make_profile("cpu"), make_inspection("tiny"))
    assert plan.memory_per_gpu.breakdown.get("reference", 0) == copies * 4 * 2_557_632


def test_a_pair_puts_two_sequences_through_the_model(make_job, make_profile, make_inspection):
    one = {"optimization": {"globalBatchSize": 8, "microBatchSize": 1}}
    sft = _train(make_job("SFTJob", **one), make_profile("cpu"), make_inspection("tiny"))
    dpo = _train(make_job("PreferenceJob", **one), make_profile("cpu"), make_inspection("tiny"))
    for part in ("activations", "logits"):
        assert dpo.memory_per_gpu.breakdown[part] == 2 * sft.memory_per_gpu.breakdown[part]


def test_a_batch_that_leaves_a_remainder_is_refused_with_values_that_do_not(make_job, make_profile, make_inspection):
    # gpusPerWorker comes from the profile here, so the API's own rule cannot see the remainder.
    job = make_job("SFTJob", compute={"workers": 3}, optimization={"globalBatchSize": 99, "microBatchSize": 3})
    refusal = _train(job, make_profile("h100"), make_inspection("8b"))
    assert isinstance(refusal, Refusal)
    assert refusal.field == "spec.optimization.globalBatchSize"
    assert "99 is not a multiple of 3 sequences × 24 ranks = 72" in refusal.message
    for nearest in (72, 144):
        assert str(nearest) in refusal.message
        again = make_job(
            "SFTJob",
            compute={"workers": 3},
            optimization={"globalBatchSize": nearest, "microBatchSize": 3},
            data={"maxLength": 512},
        )
        assert isinstance(_train(again, make_profile("h100"), make_inspection("8b", max_length=512)), Plan)


TOO_LARGE = [
    {"compute": {"gpusPerWorker": 1}},
    {"compute": {"gpusPerWorker": 1}, "data": {"maxLength": 131072}, "optimization": {"globalBatchSize": 64}},
    {
        "compute": {"gpusPerWorker": 8},
        "optimization": {"microBatchSize": 4},
        "parallelism": {"zeroStage": 1, "gradientCheckpointing": "disabled"},
    },
    {"compute": {"gpusPerWorker": 2}, "parallelism": {"gradientCheckpointing": "disabled"}},
]


@pytest.mark.parametrize("spec", TOO_LARGE)
def test_what_does_not_fit_is_refused_and_every_way_out_fits(make_job, make_profile, make_inspection, spec):
    profile, length = make_profile("h100"), spec.get("data", {}).get("maxLength", 4096)
    refusal = _train(make_job("SFTJob", **spec), profile, make_inspection("8b", max_length=length))
    assert isinstance(refusal, Refusal)
    assert re.search(r"needs at least \d+\.\d GiB on one GPU, which has 80\.0 GiB", refusal.message)
    assert refusal.ways_out
    for way in refusal.ways_out:
        changed = make_job("SFTJob", **_follow(spec, way))
        length = changed.spec.data.max_length
        assert isinstance(_train(changed, profile, make_inspection("8b", max_length=length)), Plan), way


def _follow(spec, way):
    """The spec after doing what a sentence says: `Set a.b: c and d.e: f.` or `Add a: {...} to ...`."""
    merged = {**spec}
    pairs = re.findall(r"([A-Za-z.]+): (\{.*\}|[^ .,]+)", way)
    assert pairs
    for path, text in pairs:
        block, _, field = path.partition(".")
        value = yaml.safe_load(text)
        merged[block] = {**merged.get(block, {}), **({field: value} if field else value)}
    return merged


def test_before_the_inspection_the_plan_says_that_it_is_provisional(make_job, make_profile):
    plan = _train(make_job("SFTJob"), make_profile("h100"), None)
    assert plan.provisional
    assert (plan.total_steps, plan.sizes, plan.memory_per_gpu) == (0, (), None)


def test_a_hint_is_enough_to_refuse_what_cannot_fit(make_job, make_profile):
    small = make_job("SFTJob", model={"parameters": "8B"}, compute={"gpusPerWorker": 8})
    assert isinstance(_train(small, make_profile("h100"), None), Plan)
    large = make_job("SFTJob", model={"parameters": "405B"}, compute={"gpusPerWorker": 8})
    assert isinstance(_train(large, make_profile("h100"), None), Refusal)


def test_steps_are_taken_as_said_even_before_the_inspection(make_job, make_profile):
    assert _train(make_job("SFTJob", optimization={"steps": 77}), make_profile("h100"), None).total_steps == 77


def test_tokens_become_steps_of_trained_tokens(make_job, make_profile, make_inspection):
    job = make_job("PretrainJob", optimization={"epochs": None, "tokens": "1M"})
    plan = _train(job, make_profile("cpu"), make_inspection("tiny"))
    # 250,000 tokens in 1,000 rows: a batch of 32 rows trains 8,000 of them.
    assert plan.total_steps == 125


def test_prepare_runs_on_cpu_with_a_pod_for_each_training_worker_only_for_pretraining(make_job, make_profile):
    for kind, want in (("PretrainJob", 4), ("SFTJob", 1)):
        job = make_job(kind, compute={"workers": 4})
        plan = plan_stage(job, stage="prepare", profile=make_profile("cpu"), inspection=None)
        assert (plan.workers, plan.gpus, plan.gpus_per_worker, plan.provisional) == (want, 0, 0, False)


def test_prepare_uses_the_profile_that_needs_no_gpu(make_profile):
    assert stage_profile_name("prepare", profile=make_profile("h100")) == "cpu"
    assert stage_profile_name("train", profile=make_profile("h100")) == "h100"
    assert stage_profile_name("prepare", profile=make_profile("cpu")) == "cpu"


def test_a_stage_that_has_run_keeps_its_zero_stage_and_image(make_job, make_profile, make_inspection):
    first = _train(make_job("SFTJob", compute={"workers": 2}), make_profile("h100"), make_inspection("8b"))
    previous = first.model_copy(update={"zero_stage": 3})
    later = make_profile("h100", image="registry.example/trainer@sha256:9")
    again = _train(make_job("SFTJob", compute={"workers": 4}), later, make_inspection("8b"), previous=previous)
    assert again.zero_stage == 3
    assert again.image == first.image
    assert again.workers == 4


def test_fewer_workers_keep_the_global_batch(make_job, make_profile, make_inspection):
    plan = _train(
        make_job("PretrainJob", compute={"workers": 4}), make_profile("cpu"), make_inspection("tiny"), workers=1
    )
    assert plan.workers == 1
    assert _sizes(plan) == [(1, 16, 2)]


REFUSALS = [
    ("spec.model.attention", "SFTJob", "cpu", {"model": {"attention": "flash"}}),
    ("spec.model.attention", "SFTJob", "h100", {"model": {"attention": "flash", "dtype": "float32"}}),
    ("spec.model.kernels.liger", "SFTJob", "cpu", {"model": {"kernels": {"liger": "enabled"}}}),
    ("spec.model.trustRemoteCode", "SFTJob", "h100", {"model": {"trustRemoteCode": True}}),
    ("spec.model.from.uri", "SFTJob", "h100", {"model": {"from": {"hub": None, "uri": "s3://bucket/m"}}}),
    ("spec.compute.gpusPerWorker", "SFTJob", "cpu", {"compute": {"gpusPerWorker": 8}}),
    ("spec.compute.gpusPerWorker", "SFTJob", "h100", {"compute": {"gpusPerWorker": 16}}),
    ("spec.adapter.quantization", "SFTJob", "cpu", {"adapter": {"quantization": "nf4"}}),
    ("spec.parallelism.offload", "SFTJob", "cpu", {"parallelism": {"offload": "optimizer"}}),
    (
        "spec.parallelism.zeroStage",
        "SFTJob",
        "h100",
        {"parallelism": {"zeroStage": 3}, "adapter": {"quantization": "nf4"}},
    ),
    ("spec.adapter.lora.targetModules", "SFTJob", "cpu", {"adapter": {"lora": {"targetModules": ["c_attn"]}}}),
]


@pytest.mark.parametrize(("field", "kind", "profile", "spec"), REFUSALS)
def test_what_the_profile_or_the_trainer_lacks_is_refused_by_field(
    make_job, make_profile, make_inspection, field, kind, profile, spec
):
    refusal = _train(make_job(kind, **spec), make_profile(profile), make_inspection("tiny"))
    assert isinstance(refusal, Refusal), refusal
    assert refusal.field == field
    assert refusal.message.startswith(f"{field}: ")
    assert refusal.ways_out


def test_a_job_without_storage_on_a_profile_without_storage_is_refused(make_job, make_profile):
    refusal = _train(make_job("SFTJob"), make_profile("cpu", storage=None), None)
    assert refusal.field == "spec.storage.runs"


def test_no_trained_token_is_a_refusal_and_not_a_division_by_zero(make_job, make_profile, make_inspection):
    refusal = _train(
        make_job("SFTJob"), make_profile("cpu"), make_inspection("tiny", train_tokens=0, train_sequences=0)
    )
    assert refusal.field == "spec.data.train"


MIXTURE = {
    "model_type": "mixtral",
    "hidden_size": 192,
    "num_hidden_layers": 2,
    "num_attention_heads": 6,
    "num_local_experts": 4,
    "intermediate_size": 512,
    "vocab_size": 4096,
}


def test_a_mixture_of_experts_takes_no_all_linear_adapter(make_job, make_profile, make_inspection):
    inspection = make_inspection("tiny", architecture=MIXTURE)
    refusal = _train(make_job("SFTJob", adapter={}), make_profile("cpu"), inspection)
    assert refusal.field == "spec.adapter.lora.targetModules"
    named = make_job("SFTJob", adapter={"lora": {"targetModules": ["q_proj", "k_proj", "v_proj", "o_proj"]}})
    assert isinstance(_train(named, make_profile("cpu"), inspection), Plan)


@pytest.mark.parametrize("module", ["gate", "gate_proj", "experts"])
def test_neither_router_nor_experts_take_an_adapter(make_job, make_profile, make_inspection, module):
    job = make_job("SFTJob", adapter={"lora": {"targetModules": [module]}})
    refusal = _train(job, make_profile("cpu"), make_inspection("tiny", architecture=MIXTURE))
    assert refusal.field == "spec.adapter.lora.targetModules"
    assert "q_proj, k_proj, v_proj, o_proj" in refusal.message


def test_zero_3_is_open_to_mixtures_that_have_been_run_with_it(make_job, make_profile, make_inspection):
    job = make_job("SFTJob", parallelism={"zeroStage": 3}, compute={"workers": 2})
    proven = _train(job, make_profile("h100"), make_inspection("tiny", architecture=MIXTURE))
    assert proven.zero_stage == 3
    other = make_inspection("tiny", architecture={**MIXTURE, "model_type": "granitemoe"})
    refusal = _train(job, make_profile("h100"), other)
    assert refusal.field == "spec.parallelism.zeroStage"
    assert "granitemoe" in refusal.message
    # Left to us, it is not chosen, however large the model.
    large = {**MIXTURE, "model_type": "granitemoe", "hidden_size": 4096, "intermediate_size": 8192}
    free = make_job("SFTJob", compute={"workers": 2}, data={"maxLength": 256})
    study = study_training(
        PlanInput(job=free, profile=make_profile("h100"), inspection=make_inspection("tiny", architecture=large))
    )
    assert {one.zero_stage for one in study.candidates} == {1, 2}


def test_the_module_names_of_an_unknown_family_are_the_trainers_to_judge(make_job, make_profile, make_inspection):
    dense = {key: value for key, value in MIXTURE.items() if key != "num_local_experts"}
    job = make_job("SFTJob", adapter={"lora": {"targetModules": ["query_key_value"]}})
    unknown = make_inspection("tiny", architecture={**dense, "model_type": "somebodys_own"})
    assert isinstance(_train(job, make_profile("cpu"), unknown), Plan)
    known = make_inspection("tiny", architecture={**dense, "model_type": "llama"})
    assert _train(job, make_profile("cpu"), known).field == "spec.adapter.lora.targetModules"


OTHER_SHAPES = [{"kv_lora_rank": 512}, {"layer_types": ["linear_attention"]}, {"vision_config": {}}]


@pytest.mark.parametrize("field", OTHER_SHAPES)
def test_what_is_no_plain_transformer_is_refused_before_it_is_planned_wrongly(
    make_job, make_profile, make_inspection, field
):
    refusal = _train(
        make_job("SFTJob"), make_profile("h100"), make_inspection("tiny", architecture={**MIXTURE, **field})
    )
    assert refusal.field == "spec.model"
    assert "which" in refusal.message
    assert "not planned" in refusal.message


@given(micro=st.integers(1, 64), accumulation=st.integers(1, 8), worlds=st.sets(st.integers(1, 8), min_size=1))
def test_shrinking_keeps_every_product_and_ends(micro, accumulation, worlds):
    sizes = tuple(
        SizePlan(world_size=w, micro_batch_size=micro, gradient_accumulation=accumulation) for w in sorted(worlds)
    )
    plan = Plan(sizes=sizes)
    products = [s.world_size * micro * accumulation for s in sizes]
    times = 0
    while (smaller := shrink(plan)) is not None:
        assert [a * b * c for a, b, c in _sizes(smaller)] == products
        assert all(
            after.micro_batch_size <= before.micro_batch_size
            for after, before in zip(smaller.sizes, plan.sizes, strict=True)
        )
        plan, times = smaller, times + 1
    assert all(s.micro_batch_size == 1 for s in plan.sizes)
    assert times <= 7


LLAMA_70B = {
    "model_type": "llama",
    "hidden_size": 8192,
    "num_hidden_layers": 80,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "intermediate_size": 28672,
    "vocab_size": 128256,
    "tie_word_embeddings": False,
}
LORA = {"adapter": {"lora": {"rank": 16}}}
KNOWN = [
    # What is known to run, and what is known not to: full fine-tuning of 8B takes 16 bytes a parameter, 128 GB.
    ("8b", {}, {}, 1, False),
    ("8b", {}, {}, 8, True),
    ("8b", LORA, {}, 1, True),
    ("8b", {"adapter": {"quantization": "nf4"}, "data": {"maxLength": 1024}}, {"gpu": {"memory": "24Gi"}}, 1, True),
    ("8b", {"adapter": {}, "data": {"maxLength": 4096}}, {"gpu": {"memory": "16Gi"}}, 1, False),
    ("70b", {}, {}, 8, False),
    ("70b", LORA, {}, 8, True),
]


@pytest.mark.parametrize(("model", "spec", "machine", "gpus", "fits"), KNOWN)
def test_known_runs_fit_where_they_are_known_to(
    make_job, make_profile, make_inspection, model, spec, machine, gpus, fits
):
    job = make_job("SFTJob", **spec, compute={"gpusPerWorker": gpus})
    seen = {"architecture": LLAMA_70B, "parameters": 70_553_706_496} if model == "70b" else {}
    inspection = make_inspection("8b", max_length=job.spec.data.max_length, **seen)
    plan = _train(job, make_profile("h100", **machine), inspection)
    assert isinstance(plan, Plan if fits else Refusal), plan


@given(
    workers=st.integers(1, 8),
    gpus=st.sampled_from([1, 2, 4, 8]),
    per_rank=st.integers(1, 24),
    length=st.sampled_from([128, 1000, 4096, 32768]),
    kind=st.sampled_from(["SFTJob", "PreferenceJob"]),
    adapter=st.booleans(),
    model=st.sampled_from(["tiny", "8b"]),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_every_plan_cuts_the_batch_exactly_and_fits_by_its_own_numbers(
    make_job, make_profile, make_inspection, workers, gpus, per_rank, length, kind, adapter, model
):
    batch = workers * gpus * per_rank
    job = make_job(
        kind,
        compute={"workers": workers, "gpusPerWorker": gpus},
        optimization={"globalBatchSize": batch},
        data={"maxLength": length},
        **(LORA if adapter else {}),
    )
    plan = _train(job, make_profile("h100"), make_inspection(model, max_length=length))
    if isinstance(plan, Refusal):
        assert plan.field == "spec.compute"
        return
    assert [a * b * c for a, b, c in _sizes(plan)] == [batch]
    assert plan.memory_per_gpu.needed <= plan.memory_per_gpu.available
    assert Plan.model_validate_json(plan.model_dump_json(by_alias=True)) == plan
    assert all(len(note) <= 1024 for note in plan.notes)


def test_more_memory_never_makes_a_plan_worse(make_job, make_profile, make_inspection):
    previous = None
    for memory in ("40Gi", "80Gi", "141Gi", "288Gi"):
        plan = _train(make_job("SFTJob"), make_profile("h100", gpu={"memory": memory}), make_inspection("8b"))
        assert isinstance(plan, Plan)
        if previous is not None:
            assert plan.zero_stage <= previous.zero_stage
        previous = plan


def test_the_notes_say_what_the_planner_chose_and_why(make_job, make_profile, make_inspection):
    plan = _train(make_job("PreferenceJob", adapter={}), make_profile("h100", features=[]), make_inspection("8b"))
    notes = " ".join(plan.notes)
    assert "the least communication that fits" in notes
    assert "adapter switched off" in notes
    assert "names no feature flash-attention-2" in notes
    assert "40% of the peak" in notes
    assert _train(make_job("SFTJob"), make_profile("h100"), None).notes[0].startswith("Provisional")
