"""Which ZeRO stages a job leaves open, and what is refused in whose words."""

import pytest

from trivium.planning.architecture import read_architecture
from trivium.planning.refusal import PlanError, Refusal
from trivium.planning.stages import checkpointing_choices, zero_stages

QLORA = {"lora": {"rank": 16}, "quantization": "nf4"}
LORA = {"lora": {"rank": 16}}


def mixture(name):
    return read_architecture({
        "model_type": name, "hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4,
        "intermediate_size": 96, "vocab_size": 100, "num_local_experts": 4,
    })  # fmt: skip


DENSE = read_architecture({
    "model_type": "llama", "hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4,
    "intermediate_size": 96, "vocab_size": 100,
})  # fmt: skip


def stages(job, *, gpu=True, dtype="bfloat16", world_size=4, architecture=None):
    return zero_stages(job, gpu=gpu, dtype=dtype, world_size=world_size, architecture=architecture)


@pytest.mark.parametrize(
    ("spec", "where", "want"),
    [
        ({}, {}, (1, 2, 3)),
        ({}, {"dtype": "float32"}, (1, 2, 3)),
        ({}, {"gpu": False}, (1, 2, 3)),
        ({}, {"gpu": False, "dtype": "float32"}, (0, 1, 2, 3)),
        ({}, {"world_size": 1}, (1,)),
        ({}, {"world_size": 1, "gpu": False, "dtype": "float32"}, (0,)),
        ({}, {"world_size": 2}, (1, 2, 3)),
        ({"adapter": LORA}, {}, (1, 2, 3)),
        ({"adapter": QLORA}, {}, (1, 2)),
        ({}, {"architecture": DENSE}, (1, 2, 3)),
        ({}, {"architecture": mixture("mixtral")}, (1, 2, 3)),
        ({}, {"architecture": mixture("granitemoe")}, (1, 2)),
        ({"parallelism": {"zeroStage": 2}}, {"gpu": False}, (2,)),
        ({"parallelism": {"zeroStage": 3}}, {"world_size": 1}, (3,)),
        ({"parallelism": {"zeroStage": 3}}, {"architecture": mixture("mixtral")}, (3,)),
        ({"parallelism": {"zeroStage": 2, "offload": "optimizer"}}, {}, (2,)),
        ({"parallelism": {"offload": "optimizer"}}, {}, (1, 2, 3)),
        ({"parallelism": {"offload": "parameters"}}, {}, (3,)),
    ],
)
def test_stages_go_from_the_least_communication_to_the_least_memory(make_job, spec, where, want):
    assert stages(make_job("SFTJob", **spec), **where) == want


@pytest.mark.parametrize(
    ("spec", "where", "want"),
    [
        (
            {"parallelism": {"offload": "optimizer"}},
            {"gpu": False},
            ("spec.parallelism.offload", "optimizer, but on a CPU profile there is no GPU to relieve",
             "Set offload: none."),
        ),
        (
            {"parallelism": {"zeroStage": 2, "offload": "optimizer"}},
            {"gpu": False},
            ("spec.parallelism.offload", "optimizer, but on a CPU profile there is no GPU to relieve",
             "Set offload: none."),
        ),
        (
            {"parallelism": {"zeroStage": 3}, "adapter": QLORA},
            {},
            ("spec.parallelism.zeroStage", "3 with quantization: nf4 has not been proven and is refused until it is",
             "Set zeroStage: 2, or quantization: none."),
        ),
        (
            {"parallelism": {"zeroStage": 3}},
            {"architecture": mixture("granitemoe")},
            ("spec.parallelism.zeroStage",
             ("3 with the experts of a granitemoe model has not been proven and is refused until it is; "
             "proven are mixtral, olmoe, qwen2_moe, qwen3_moe"),
             "Set zeroStage: 2."),
        ),
    ],
)  # fmt: skip
def test_a_stage_that_cannot_be_is_refused_with_a_way_out(make_job, spec, where, want):
    with pytest.raises(PlanError) as refused:
        stages(make_job("SFTJob", **spec), **where)
    field, problem, *ways_out = want
    assert refused.value.refusal == Refusal(field=field, problem=problem, ways_out=tuple(ways_out))
    assert refused.value.args == want


@pytest.mark.parametrize(("said", "want"), [("auto", (False, True)), ("enabled", (True,)), ("disabled", (False,))])
def test_checkpointing_is_tried_as_the_job_says(make_job, said, want):
    assert checkpointing_choices(make_job("SFTJob", parallelism={"gradientCheckpointing": said})) == want
