"""The ways out of a plan that does not fit, and what may be weighed against one that does: sentence for sentence."""

import pytest

from trivium.planning import PlanInput, study_training
from trivium.planning.edits import Edit, apply_edit

SLOWER = "Set parallelism.offload: optimizer, which is slower."
MUCH_SLOWER = "Set parallelism.offload: parameters, which is much slower."
LORA = "Set adapter: {lora: {rank: 16}} to train an adapter instead of all weights."
QLORA = "Set adapter: {lora: {rank: 16}, quantization: nf4} to train an adapter instead of all weights."
NF4 = "Set adapter.quantization: nf4 to hold the frozen weights in 4 bits."
ADAPTER = {"lora": {"rank": 16}}
ONE = {"gpusPerWorker": 1}


def elastic(workers):
    return ONE | {"workers": workers, "minWorkers": 1}


@pytest.fixture
def study(make_job, make_profile, make_inspection):
    def ask(kind, spec, memory, **more):
        job = make_job(kind, **spec)
        profile = make_profile("h100", gpu={"memory": memory})
        inspection = make_inspection("8b", max_length=job.spec.data.max_length)
        return study_training(PlanInput(job=job, profile=profile, inspection=inspection, **more))

    return ask


def sentences(found):
    return [one.edit.sentence for one in found.alternatives]


@pytest.mark.parametrize(
    ("spec", "memory", "want"),
    [
        ({"compute": ONE}, "24Gi", [MUCH_SLOWER, "Set compute.workers: 16.", QLORA]),
        ({"compute": ONE}, "80Gi", [SLOWER, "Set compute.workers: 2.", LORA]),
        (
            {"optimization": {"microBatchSize": 16, "globalBatchSize": 128}},
            "80Gi",
            ["Set optimization.microBatchSize: 1.", "Set data.maxLength: 2048."],
        ),
        (
            {"parallelism": {"gradientCheckpointing": "disabled"}, "data": {"maxLength": 32768}},
            "80Gi",
            ["Set parallelism.gradientCheckpointing: enabled.", "Set data.maxLength: 4096."],
        ),
        ({"parallelism": {"zeroStage": 0}}, "80Gi", ["Set parallelism.zeroStage: 1.", LORA]),
        (
            {"compute": ONE, "adapter": ADAPTER},
            "16Gi",
            [MUCH_SLOWER, "Set compute.workers: 4.", NF4],
        ),
        (
            {"compute": ONE, "data": {"maxLength": 65536}, "parallelism": {"offload": "parameters"}},
            "24Gi",
            ["Set data.maxLength: 8192."],
        ),
        (
            {"compute": elastic(8), "optimization": {"globalBatchSize": 840}},
            "80Gi",
            [SLOWER, "Set compute.minWorkers: 2.", LORA],
        ),
        (
            {"compute": elastic(8), "optimization": {"globalBatchSize": 840}},
            "40Gi",
            [SLOWER, "Set compute.minWorkers: 5.", LORA],
        ),
        (
            {"compute": elastic(2), "optimization": {"globalBatchSize": 64}},
            "40Gi",
            [SLOWER, "Set compute.workers: 8 and compute.minWorkers: 8.", LORA],
        ),
    ],
)
def test_the_nearest_plans_that_fit_are_named(study, spec, memory, want):
    compute = spec.get("compute", {"gpusPerWorker": 8})
    found = study("SFTJob", spec | {"compute": compute}, memory)
    assert sentences(found) == want
    assert found.result.ways_out == tuple(want)


@pytest.mark.parametrize(
    ("most", "more"), [(7, []), (8, ["Set compute.workers: 8."]), (None, ["Set compute.workers: 8."])]
)
def test_no_more_workers_are_proposed_than_there_are(study, most, more):
    spec = {"compute": ONE | {"workers": 2}, "optimization": {"globalBatchSize": 64}}
    assert sentences(study("SFTJob", spec, "40Gi", most_workers=most)) == [SLOWER, *more, LORA]


@pytest.mark.parametrize(
    ("kind", "spec", "memory", "want"),
    [
        ("SFTJob", {}, "40Gi", ["Set compute.workers: 2.", SLOWER, LORA]),
        (
            "PreferenceJob",
            {"compute": {"workers": 2}},
            "80Gi",
            [
                "Set compute.workers: 1.",
                "Set compute.workers: 4.",
                SLOWER,
                LORA,
                "Set method.dpo.reference: precomputed.",
            ],
        ),
        (
            "PreferenceJob",
            {"compute": {"workers": 2}, "adapter": ADAPTER},
            "80Gi",
            ["Set compute.workers: 1.", "Set compute.workers: 4.", NF4],
        ),
        (
            "SFTJob",
            {"compute": {"workers": 3}, "optimization": {"globalBatchSize": 96}},
            "1000Gi",
            ["Set compute.workers: 6.", LORA],
        ),
    ],
)
def test_what_may_be_weighed_against_a_plan_that_fits_is_named(study, kind, spec, memory, want):
    compute = {"gpusPerWorker": 8} | spec.get("compute", {})
    assert sentences(study(kind, spec | {"compute": compute}, memory)) == want


@pytest.mark.parametrize(
    ("spec", "memory", "problem"),
    [
        (
            {"compute": ONE},
            "24Gi",
            (
                "training needs at least 167.2 GiB on one GPU, which has 24.0 GiB "
                "(ZeRO 1, 1 rank, 4096 tokens; optimizer 89.7 GiB, step 44.9 GiB, weights 15.0 GiB)"
            ),
        ),
        (
            {"compute": ONE | {"workers": 2}, "optimization": {"globalBatchSize": 64}},
            "40Gi",
            (
                "training needs at least 72.8 GiB on one GPU, which has 40.0 GiB "
                "(ZeRO 3, 2 ranks, 4096 tokens; optimizer 44.9 GiB, weights 7.5 GiB, gradients 7.5 GiB)"
            ),
        ),
    ],
)
def test_a_refusal_says_how_much_is_missing_and_what_takes_most(study, spec, memory, problem):
    refusal = study("SFTJob", spec, memory).result
    assert (refusal.field, refusal.problem) == ("spec.compute", problem)
    assert refusal.message == " ".join((f"spec.compute: {problem}.", *refusal.ways_out))


def test_an_edit_is_written_as_yaml_in_steps_of_two():
    edit = Edit(values=(("data.maxLength", 2048), ("adapter", {"lora": {"rank": 16}, "quantization": "nf4"})))
    assert edit.yaml_lines() == (
        "spec:", "  data:", "    maxLength: 2048", "  adapter:", "    lora:", "      rank: 16",
        "    quantization: nf4",
    )  # fmt: skip
    assert edit.sentence == ("Set data.maxLength: 2048 and adapter: {lora: {rank: 16}, quantization: nf4}.")


def test_a_block_is_laid_over_what_the_job_says_of_it(make_job):
    job = make_job("SFTJob", adapter={"lora": {"rank": 4, "targetModules": ["q_proj"]}})
    changed = apply_edit(job, Edit(values=(("adapter.lora", {"rank": 8}),)))
    assert (changed.spec.adapter.lora.rank, changed.spec.adapter.lora.target_modules) == (8, ("q_proj",))
