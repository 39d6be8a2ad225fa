"""DeepSpeed's configuration as a value, the optimizer's groups, and the private name that keeps DeepSpeed from compiling."""

import sys
from pathlib import Path

import pytest
import torch

from trivium_trainer.config import Optimization
from trivium_trainer.engine.deepspeed_config import EngineSettings, build_deepspeed_config
from trivium_trainer.engine.optimizer import build_optimizer, parameter_groups
from trivium_trainer.failure import TrainingError


def settings(**changes) -> EngineSettings:
    defaults = {
        "zero_stage": 2,
        "offload": "none",
        "dtype": "float32",
        "on_gpu": False,
        "world_size": 2,
        "micro_batch_size": 4,
        "gradient_accumulation": 3,
        "gradient_clip": 1.0,
        "hidden_size": 64,
    }
    return EngineSettings(**(defaults | changes))


def test_the_batch_is_the_product_of_its_cut():
    config = build_deepspeed_config(settings(), {})
    assert config["train_batch_size"] == 24
    assert (config["train_micro_batch_size_per_gpu"], config["gradient_accumulation_steps"]) == (4, 3)


@pytest.mark.parametrize("stage", [0, 1, 2, 3])
def test_the_stage_is_the_one_asked_for(stage):
    zero = build_deepspeed_config(settings(zero_stage=stage), {})["zero_optimization"]
    assert zero["stage"] == stage
    assert ("stage3_param_persistence_threshold" in zero) == (stage == 3)


def test_a_gpu_run_is_bf16_with_overlap_and_clipped_by_deepspeed():
    config = build_deepspeed_config(settings(dtype="bfloat16", on_gpu=True, zero_stage=0), {})
    assert config["bf16"] == {"enabled": True}
    assert config["zero_optimization"]["overlap_comm"] is True
    assert config["gradient_clipping"] == 1.0


def test_plain_fp32_without_zero_is_clipped_by_our_loop():
    assert build_deepspeed_config(settings(zero_stage=0), {})["gradient_clipping"] == 0.0


@pytest.mark.parametrize(
    ("offload", "want"),
    [("none", set()), ("optimizer", {"offload_optimizer"}), ("parameters", {"offload_optimizer", "offload_param"})],
)
def test_offload_puts_state_into_main_memory(offload, want):
    zero = build_deepspeed_config(settings(zero_stage=3, offload=offload), {})["zero_optimization"]
    assert {key for key in zero if key.startswith("offload")} == want


def test_an_allowed_key_is_merged_over_ours():
    config = build_deepspeed_config(settings(), {"zero_optimization": {"reduce_bucket_size": 1000}})
    assert config["zero_optimization"]["reduce_bucket_size"] == 1000
    assert config["zero_optimization"]["stage"] == 2


@pytest.mark.parametrize(
    "overrides",
    [
        {"train_batch_size": 1},
        {"zero_optimization": {"stage": 0}},
        {"monitor": {"path": "/"}},
        {"zero_optimization": 3},
    ],
)
def test_another_key_is_refused_by_name(overrides):
    with pytest.raises(TrainingError, match=r"parallelism\.deepspeed\.") as caught:
        build_deepspeed_config(settings(), overrides)
    assert caught.value.reason == "DeepSpeedKeyNotAllowed"


def test_norms_and_biases_do_not_decay():
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.LayerNorm(4))
    model[0].weight.requires_grad_(requires_grad=False)
    groups = parameter_groups(model, weight_decay=0.1)
    # The frozen matrix is in no group; bias, scale and shift have one dimension.
    assert [(len(group["params"]), group["weight_decay"]) for group in groups] == [(3, 0.0)]
    model[0].weight.requires_grad_(requires_grad=True)
    groups = parameter_groups(model, weight_decay=0.1)
    assert [(len(group["params"]), group["weight_decay"]) for group in groups] == [(1, 0.1), (3, 0.0)]


def test_the_optimizer_is_torchs_own():
    optimization = Optimization(total_steps=1, global_batch_size=1, learning_rate=1e-3, beta2=0.95)
    optimizer = build_optimizer(torch.nn.Linear(2, 2), optimization, fused=True)
    assert type(optimizer) is torch.optim.AdamW
    assert optimizer.defaults["betas"] == (0.9, 0.95)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # DeepSpeed 0.19.8 imports names that torch 2.13 deprecates
def test_deepspeed_still_knows_the_name_that_keeps_it_from_compiling(monkeypatch):
    import deepspeed
    from deepspeed.comm.torch import build_shm_op

    monkeypatch.setitem(vars(deepspeed.ops), "__compatible_ops__", {"deepspeed_shm_comm": False})
    assert build_shm_op() is None
    source = Path(sys.modules["deepspeed.comm.torch"].__file__).read_text()
    assert "deepspeed.ops.__compatible_ops__.get(builder.NAME" in source
