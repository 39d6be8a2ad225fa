"""Model states by ZeRO stage as the ZeRO paper counts them, and the directions in which memory must move.

What the figures are worth is measured: see test_memory_errors.py. Here each rule has a case that fails without it.
"""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivium.planning.architecture import read_architecture
from trivium.planning.memory import Workload, estimate_memory, host_bytes, memory_by_moment
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


# One matrix of the MLP in bfloat16: what a partition holds of a neighbour's parameters below ZeRO-3.
STRADDLING = 2 * ARCHITECTURE.hidden_size * ARCHITECTURE.intermediate_size


def _memory(work=FULL, *, stage=2, world=8, micro=2, ckpt=False):
    return estimate_memory(
        work, zero_stage=stage, world_size=world, micro_batch=micro, checkpointing=ckpt, available=80 * GIB
    )


def _moments(work=FULL, *, stage=2, world=8, micro=2, ckpt=False, accumulates=True):
    return memory_by_moment(
        work,
        zero_stage=stage,
        world_size=world,
        micro_batch=micro,
        checkpointing=ckpt,
        available=80 * GIB,
        accumulates=accumulates,
    )


@pytest.mark.parametrize(
    ("stage", "per_parameter"),
    # bf16 weights 2, gradients 2, float32 master and two moments 12; each stage divides one more of them (8 ranks).
    [(0, 2 + 2 + 12), (1, 2 + 2 + 12 / 8), (2, 2 + (2 + 12) / 8), (3, (2 + 2 + 12) / 8)],
)
def test_model_states_are_those_of_the_zero_paper(stage, per_parameter):
    memory = _moments(stage=stage)["loss"]
    states = memory.weights + memory.gradients + memory.optimizer - (STRADDLING if stage == 2 else 0)
    assert states == pytest.approx(per_parameter * PARAMETERS.total, rel=1e-6)


def test_float32_without_zero_needs_no_master_copy():
    memory = _moments(replace(FULL, element_bytes=4, gpu=False), stage=0, world=2)["loss"]
    assert (memory.weights, memory.gradients, memory.optimizer) == tuple(k * PARAMETERS.total for k in (4, 4, 8))


def test_an_adapter_freezes_the_rest():
    trainable = 1_000_000
    memory = _moments(replace(FULL, trainable=trainable, adapter_rank=8), stage=1, world=1)["loss"]
    assert memory.gradients == 2 * trainable
    assert memory.optimizer == 12 * trainable
    assert memory.weights == 2 * (PARAMETERS.total + trainable)


def test_nf4_takes_a_little_over_half_a_byte_for_what_it_quantizes():
    memory = _memory(replace(FULL, trainable=0, adapter_rank=8, quantized=True), stage=1)
    linear = PARAMETERS.total - PARAMETERS.embedding
    # 4 bits, a byte for each block of 64 and a float32 for each 256 blocks: 0.5 + 0.015625 + 0.000244.
    assert memory.weights == pytest.approx(0.515869 * linear + 2 * PARAMETERS.embedding, rel=1e-6)


def test_offload_moves_the_optimizer_to_the_host_with_its_gradients_and_a_buffer():
    moved = _moments(replace(FULL, offload="optimizer"), stage=2)
    share = -(-PARAMETERS.total // 8)
    for moment in moved.values():
        assert (moment.optimizer, moment.step) == (0, 0)
        assert moment.gradients <= 2 * ARCHITECTURE.vocab_size * ARCHITECTURE.hidden_size
    # Master copy and moments 12, float32 gradients 4, earlier micro-batches' gradients 2, weights on their way back 2.
    on_host = host_bytes(replace(FULL, offload="optimizer"), zero_stage=2, world_size=8)
    assert on_host == (12 + 4 + 2 + 2) * share
    assert host_bytes(FULL, zero_stage=2, world_size=8) == 0


def test_offloaded_parameters_leave_the_device_and_arrive_on_the_host():
    work = replace(FULL, offload="parameters")
    optimizer_alone = host_bytes(replace(work, offload="optimizer"), zero_stage=3, world_size=8)
    assert _memory(work, stage=3).weights == 0
    assert host_bytes(work, zero_stage=3, world_size=8) - optimizer_alone == -(-2 * PARAMETERS.total // 8)


def test_a_live_reference_is_one_more_set_of_weights_divided_only_by_zero_3():
    work = replace(FULL, reference_copy=True, live_reference=True)
    assert _memory(work, stage=2).reference == 2 * PARAMETERS.total
    assert _memory(work, stage=3).reference == pytest.approx(2 * PARAMETERS.total / 8, rel=1e-6)


def test_a_live_reference_makes_its_logits_beside_the_policys():
    # 12 bytes a logit, 14 where bfloat16 logits of the reference come on top of three float32 tensors.
    plain, live = (_moments(replace(FULL, live_reference=live))["loss"].logits for live in (False, True))
    assert (plain, live) == (12 * 2 * 1024 * 32000, 14 * 2 * 1024 * 32000)
    in_float32 = replace(FULL, live_reference=True, element_bytes=4)
    assert _moments(in_float32)["loss"].logits == plain


@given(stage=st.integers(0, 3), world=st.integers(1, 64), micro=st.integers(1, 16), length=st.sampled_from([128, 4096]))
def test_memory_moves_in_the_right_direction(stage, world, micro, length):
    work = replace(FULL, max_length=length)
    base = _memory(work, stage=stage, world=world, micro=micro)
    assert base.total == sum(base.by_part().values())
    assert _memory(work, stage=stage, world=world, micro=micro + 1).total >= base.total
    assert _memory(work, stage=stage, world=world + 1, micro=micro).total <= base.total
    assert _memory(work, stage=stage, world=world, micro=micro, ckpt=True).total <= base.total
    assert _memory(replace(work, attention="eager"), stage=stage, world=world, micro=micro).total >= base.total
    assert _memory(replace(work, packing=True), stage=stage, world=world, micro=micro).total >= base.total


@given(stage=st.integers(0, 3), world=st.integers(1, 64), micro=st.integers(1, 16), ckpt=st.booleans())
def test_the_estimate_is_the_worst_moment(stage, world, micro, ckpt):
    moments = _moments(stage=stage, world=world, micro=micro, ckpt=ckpt)
    assert list(moments) == ["loss", "backward", "reduce", "step"]
    worst = _memory(stage=stage, world=world, micro=micro, ckpt=ckpt)
    assert worst.total == max(moment.total for moment in moments.values())
    assert worst in moments.values()


def test_a_single_micro_batch_starts_without_gradients():
    for stage, waiting in [
        (0, 2 * PARAMETERS.total),
        (1, 2 * PARAMETERS.total),
        (2, 2 * PARAMETERS.total / 8 + STRADDLING),
    ]:
        assert _moments(stage=stage)["loss"].gradients == pytest.approx(waiting, rel=1e-6)
        assert _moments(stage=stage, accumulates=False)["loss"].gradients == 0
    # ZeRO-3 keeps one buffer for the whole run.
    assert _moments(stage=3)["loss"].gradients == _moments(stage=3, accumulates=False)["loss"].gradients > 0


def test_accumulating_zero_2_fills_a_second_partition():
    largest = 2 * ARCHITECTURE.vocab_size * ARCHITECTURE.hidden_size
    share = -(-PARAMETERS.total // 8)
    assert _moments(stage=2)["backward"].gradients == 2 * (2 * share + STRADDLING) + largest
    assert _moments(stage=2, accumulates=False)["backward"].gradients == 2 * share + STRADDLING + largest
    # A single rank has no neighbour, and no rank holds more than all gradients.
    assert _moments(stage=2, world=1, accumulates=False)["step"].gradients == 2 * PARAMETERS.total
    assert _moments(stage=2, world=10**6, accumulates=False)["step"].gradients == pytest.approx(STRADDLING, rel=1e-3)


def test_a_step_casts_the_partition_to_float32_from_a_flat_copy():
    share = -(-PARAMETERS.total // 8)
    assert _moments(stage=1)["step"].step == (2 + 4) * share
    assert _moments(stage=0)["step"].step == 4 * PARAMETERS.total
    assert _moments(replace(FULL, element_bytes=4), stage=2)["step"].step == 4 * share
    assert _moments(replace(FULL, element_bytes=4), stage=0)["step"].step == 0
    assert _moments(replace(FULL, sub_group_elements=1000), stage=3)["step"].step == 6 * 1000


def test_without_zero_gradients_are_reduced_in_one_piece_of_at_most_half_a_billion():
    assert _moments(stage=0)["reduce"].buckets == 2 * PARAMETERS.total
    big = replace(FULL, trainable=10**9)
    assert _moments(big, stage=0)["reduce"].buckets == 2 * 500_000_000
    assert _moments(stage=2)["reduce"].buckets == 0


def test_buckets_are_allocated_whole_on_a_gpu_and_page_by_page_in_main_memory():
    small = replace(FULL, trainable=1000, adapter_rank=8)
    assert _moments(small, stage=2)["backward"].buckets == 2 * 2 * 50_000_000
    assert _moments(replace(small, gpu=False), stage=2)["backward"].buckets == 2 * 1000
    assert _moments(replace(small, bucket_elements=10), stage=2)["backward"].buckets == 2 * 2 * 10
    # ZeRO-2 makes them when the first gradient comes; ZeRO-1 keeps them between micro-batches.
    assert _moments(small, stage=2)["loss"].buckets == 0
    assert _moments(small, stage=1)["loss"].buckets > 0 == _moments(small, stage=1, accumulates=False)["loss"].buckets


def test_zero_3_gathers_parameters_unless_it_has_only_one_rank():
    bucket = 2 * 50_000_000
    assert _moments(stage=3, world=1)["loss"].buckets == bucket
    assert _moments(stage=3, world=2)["loss"].buckets == bucket + 2 * PARAMETERS.total
    live = replace(FULL, max_live_parameters=1)
    needed = PARAMETERS.largest_layer + PARAMETERS.embedding
    assert _moments(live, stage=3, world=2)["loss"].buckets == bucket + 2 * needed


def test_zero_3_leaves_an_adapter_in_float32_and_casts_every_input_to_it():
    adapted = replace(FULL, adapter_rank=8, trainable=1_000_000, packing=True)
    below, at = (_moments(adapted, stage=stage, world=1)["loss"] for stage in (2, 3))
    assert at.weights - below.weights == 2 * 1_000_000
    # Inputs of q, k, v, gate and up are 1024 wide, of o 1024, of down 2816: 4 bytes each in 8 layers, 2 × 1024 tokens.
    assert at.activations - below.activations == 4 * (6 * 1024 + 2816) * 8 * 2 * 1024
    in_float32 = replace(adapted, element_bytes=4)
    assert _moments(in_float32, stage=3, world=1)["loss"].weights == _moments(in_float32, stage=2)["loss"].weights


def test_before_the_inspection_nothing_is_said_of_activations():
    for moment in _moments(replace(FULL, architecture=None)).values():
        assert (moment.activations, moment.logits) == (0, 0)
