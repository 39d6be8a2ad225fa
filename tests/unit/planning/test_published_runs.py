"""Plausibility against figures that others published. Their set-ups differ from ours, so each test says what is compared.

Sources: ZeRO, arXiv 1910.02054, figure 1; torchtune's README, "Memory and training speed" (batch 2, packed to 2,048,
torch.compile, no accumulation); torchtitan's benchmark of 2024-12; Hugging Face's blog on ZeRO-3 and FSDP; the table of
LLaMA-Factory's README.
"""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from trivium.planning.architecture import read_architecture
from trivium.planning.estimate import EFFICIENCY
from trivium.planning.flops import flops_per_token
from trivium.planning.memory import GIB, Workload, memory_by_moment
from trivium.planning.parameters import ParameterCount, count_adapter, count_parameters

CONFIGS = Path(__file__).parent / "configs"
H100, A100 = 989e12, 312e12  # dense bfloat16, NVIDIA's data sheets


def _work(name, **changes):
    architecture = read_architecture(json.loads((CONFIGS / f"{name}.json").read_text()))
    parameters = count_parameters(architecture)
    full = Workload(
        architecture=architecture,
        parameters=parameters,
        trainable=parameters.total,
        element_bytes=2,
        max_length=2048,
        sequences_per_sample=1,
        attention="flash_attention_2",
        adapter_rank=0,
        quantized=False,
        reference_copy=False,
        offload="none",
        gpu=True,
        packing=True,
    )
    return replace(full, **changes)


def _adapted(name, *, rank, **changes):
    work = _work(name, adapter_rank=rank, **changes)
    return replace(work, trainable=count_adapter(work.architecture, rank=rank, target_modules="all-linear"))


def _moments(work, *, stage=0, world=1, micro=2, checkpointing=True):
    return memory_by_moment(
        work,
        zero_stage=stage,
        world_size=world,
        micro_batch=micro,
        checkpointing=checkpointing,
        available=0,
        accumulates=stage in (1, 2),
    )


def _states(moment):
    return moment.weights + moment.gradients + moment.optimizer


@pytest.mark.parametrize(("stage", "gigabytes"), [(0, 120), (1, 31.4), (2, 16.6), (3, 1.9)])
def test_model_states_are_the_figure_of_the_zero_paper(stage, gigabytes):
    """7.5 billion parameters on 64 GPUs: figure 1 there. Compared: model states, at the fullest gradients."""
    count = ParameterCount(total=7_500_000_000, embedding=0, active=7_500_000_000, largest_layer=0)
    work = replace(_work("llama-2-7b"), architecture=None, parameters=count, trainable=count.total)
    moments = _moments(work, stage=stage, world=64)
    assert _states(moments["loss" if stage else "step"]) / 1e9 == pytest.approx(gigabytes, rel=0.02)


def test_lora_on_llama_3_8b_is_near_torchtunes_peak():
    """16.2 GiB on a 4090, rank 8, checkpointing. Compared: without logits, which torchtune computes in chunks."""
    loss = _moments(_adapted("llama-3-8b", rank=8))["loss"]
    ours = _states(loss) + loss.activations
    assert ours / GIB == pytest.approx(16.2, rel=0.05)


def test_qlora_on_llama_3_8b_leaves_room_in_torchtunes_peak_for_what_dequantizes():
    """7.4 GiB on a 4090, rank 8, checkpointing. Compared as above; a dequantized matrix (0.1 GiB) is not counted."""
    loss = _moments(_adapted("llama-3-8b", rank=8, quantized=True))["loss"]
    ours = _states(loss) + loss.activations
    assert 0.85 * 7.4 <= ours / GIB <= 7.4


@pytest.mark.parametrize(("adapter", "gigabytes"), [(False, 120), (True, 16)])
def test_a_7b_model_is_near_llama_factorys_rule_of_thumb(adapter, gigabytes):
    """120 GB full with mixed bfloat16, 16 GB LoRA, for '7B'. Compared: model states and checkpointed activations."""
    work = _adapted("llama-2-7b", rank=8) if adapter else _work("llama-2-7b")
    moments = _moments(work, micro=1)
    moment = moments["loss" if adapter else "backward"]
    assert (_states(moment) + moment.activations) / 1e9 == pytest.approx(gigabytes, rel=0.15)


# (config, tokens a sequence, tokens/s/GPU, peak, published MFU)
THROUGHPUT = [
    ("llama-3-8b", 8192, 5762, H100, 0.33),  # torchtitan, 8 H100
    ("llama-3-8b", 8192, 6667, H100, 0.39),  # with torch.compile
    # ZeRO-3 on 4 A100 (FSDP 3,158.7 and 0.41); its MFU follows from 6 FLOPs a weight and token, without attention.
    ("llama-2-7b", 0, 3094.5, A100, 0.40),
]


@pytest.mark.parametrize(("name", "length", "speed", "peak", "mfu"), THROUGHPUT)
def test_our_flops_turn_published_speeds_into_the_published_mfu(name, length, speed, peak, mfu):
    work = _work(name)
    flops = flops_per_token(
        work.architecture,
        work.parameters,
        length=length,
        trainable_adapter=0,
        checkpointing=False,
        live_reference=False,
    )
    assert flops.model * speed / peak == pytest.approx(mfu, abs=0.05)


def test_the_assumed_efficiency_lies_among_the_published():
    published = [mfu for *_, mfu in THROUGHPUT]
    assert min(published) <= EFFICIENCY <= max(published)
