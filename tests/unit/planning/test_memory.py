"""Model states by ZeRO stage as the ZeRO paper counts them, and the directions in which memory must move."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivium.planning.architecture import read_architecture
from trivium.planning.memory import Workload, estimate_memory, host_bytes
from trivium.planning.parameters import count_parameters

CONFIG = {
    "model_type": "llama",
    "hidden_size": 1024,
    "num_hidden_layers": 8,
    "num_attention_heads": 16,
    "intermediate_size": 2816,
    "vocab_size": 32000,
}
ARCHITECTURE = read_architecture(CONFIG)
PARAMETERS = count_parameters(ARCHITECTURE)
GIB = 1024**3
FULL = Workload(
    architecture=ARCHITECTURE,
    parameters=PARAMETERS,
    trainable=PARAMETERS.total,
    element_bytes=2,
    max_length=1024,
    sequences_per_sample=1,
    attention="sdpa",
    adapter_rank=0,
    quantized=False,
    reference_copy=False,
    offload="none",
    gpu=True,
)


def _memory(work=FULL, *, stage=2, world=8, micro=2, ckpt=False):
    return estimate_memory(
        work, zero_stage=stage, world_size=world, micro_batch=micro, checkpointing=ckpt, available=80 * GIB
    )


@pytest.mark.parametrize(
    ("stage", "per_parameter"),
    # bf16 weights 2, gradients 2, float32 master and two moments 12; each stage divides one more of them (8 ranks).
    [(0, 2 + 2 + 12), (1, 2 + 2 + 12 / 8), (2, 2 + (2 + 12) / 8), (3, (2 + 2 + 12) / 8)],
)
def test_model_states_are_those_of_the_zero_paper(stage, per_parameter):
    memory = _memory(stage=stage)
    states = memory.weights + memory.gradients + memory.optimizer
    assert states == pytest.approx(per_parameter * PARAMETERS.total, rel=1e-6)


def test_float32_without_zero_needs_no_master_copy():
    memory = _memory(replace(FULL, element_bytes=4, gpu=False), stage=0, world=2)
    assert (memory.weights, memory.gradients, memory.optimizer) == tuple(k * PARAMETERS.total for k in (4, 4, 8))


def test_an_adapter_freezes_the_rest():
    trainable = 1_000_000
    memory = _memory(replace(FULL, trainable=trainable, adapter_rank=8), stage=1, world=1)
    assert memory.gradients == 2 * trainable
    assert memory.optimizer == 12 * trainable
    assert memory.weights == 2 * (PARAMETERS.total + trainable)


def test_nf4_takes_a_little_over_half_a_byte_for_what_it_quantizes():
    memory = _memory(replace(FULL, trainable=0, adapter_rank=8, quantized=True), stage=1)
    linear = PARAMETERS.total - PARAMETERS.embedding
    assert memory.weights == pytest.approx(0.5625 * linear + 2 * PARAMETERS.embedding, rel=1e-6)


def test_offload_moves_bytes_to_the_host_and_loses_none():
    kept = _memory(stage=2)
    moved = _memory(replace(FULL, offload="optimizer"), stage=2)
    on_host = host_bytes(replace(FULL, offload="optimizer"), zero_stage=2, world_size=8)
    assert (moved.optimizer, moved.gradients, moved.weights) == (0, 0, kept.weights)
    assert on_host == kept.optimizer + kept.gradients
    assert host_bytes(FULL, zero_stage=2, world_size=8) == 0


def test_a_live_reference_is_one_more_set_of_weights_divided_only_by_zero_3():
    work = replace(FULL, reference_copy=True)
    assert _memory(work, stage=2).reference == 2 * PARAMETERS.total
    assert _memory(work, stage=3).reference == pytest.approx(2 * PARAMETERS.total / 8, rel=1e-6)


@given(stage=st.integers(0, 3), world=st.integers(1, 64), micro=st.integers(1, 16), length=st.sampled_from([128, 4096]))
def test_memory_moves_in_the_right_direction(stage, world, micro, length):
    work = replace(FULL, max_length=length)
    base = _memory(work, stage=stage, world=world, micro=micro)
    assert base.total == sum(base.by_part().values())
    assert _memory(work, stage=stage, world=world, micro=micro + 1).total >= base.total
    assert _memory(work, stage=stage, world=world + 1, micro=micro).total <= base.total
    assert _memory(work, stage=stage, world=world, micro=micro, ckpt=True).activations <= base.activations
    assert _memory(replace(work, attention="eager"), stage=stage, world=world, micro=micro).total >= base.total


def test_the_step_counts_only_where_it_exceeds_what_the_backward_pass_held():
    small = _memory(replace(FULL, max_length=8), stage=1, world=1, micro=1, ckpt=True)
    assert small.step + small.activations + small.logits == 4 * PARAMETERS.total
    assert _memory(replace(FULL, max_length=8192), stage=1, world=1, micro=8).step == 0
