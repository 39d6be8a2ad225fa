"""Our model states beside DeepSpeed's own estimators, where those apply. They count no activations and no buckets.

What differs is named: DeepSpeed 0.19.8 flattens a partition before it casts it to float32, which its ZeRO-2 formula
leaves out, and its ZeRO-3 formula counts 18 bytes where weights, gradients, master copy and moments with a float32
gradient are 20.
"""

from dataclasses import replace

import pytest

from trivium.planning.memory import Workload, host_bytes, memory_by_moment
from trivium.planning.parameters import ParameterCount

pytestmark = pytest.mark.slow  # importing DeepSpeed takes seconds

TOTAL, LARGEST = 7_000_000_000, 200_000_000
WORK = Workload(
    architecture=None,
    parameters=ParameterCount(total=TOTAL, embedding=0, active=TOTAL, largest_layer=LARGEST),
    trainable=TOTAL,
    element_bytes=2,
    max_length=2048,
    sequences_per_sample=1,
    attention="sdpa",
    adapter_rank=0,
    quantized=False,
    reference_copy=False,
    offload="none",
    gpu=True,
    sub_group_elements=10**12,
)
RANKS = [(1, 1), (8, 1), (8, 4)]


@pytest.fixture(scope="module")
def estimators():
    from deepspeed.runtime.zero.stage3 import estimate_zero3_model_states_mem_needs
    from deepspeed.runtime.zero.stage_1_and_2 import estimate_zero2_model_states_mem_needs

    return estimate_zero2_model_states_mem_needs, estimate_zero3_model_states_mem_needs


def _moments(work, *, stage, world):
    return memory_by_moment(
        work, zero_stage=stage, world_size=world, micro_batch=1, checkpointing=True, available=0, accumulates=False
    )


def _states(moment):
    return moment.weights + moment.gradients + moment.optimizer + moment.step


@pytest.mark.parametrize(("per_node", "nodes"), RANKS)
def test_zero_2_is_deepspeeds_estimate_and_the_flat_copy(estimators, per_node, nodes):
    world = per_node * nodes
    _, theirs = estimators[0](TOTAL, num_gpus_per_node=per_node, num_nodes=nodes, cpu_offload=False)
    ours = _states(_moments(WORK, stage=2, world=world)["step"])
    assert ours - 2 * TOTAL // world == pytest.approx(theirs, rel=1e-6)


@pytest.mark.parametrize(("per_node", "nodes"), RANKS)
def test_zero_3_is_deepspeeds_estimate_and_two_copies_of_the_partition(estimators, per_node, nodes):
    world = per_node * nodes
    _, theirs, largest = estimators[1](TOTAL, LARGEST, per_node, nodes, cpu_offload=False, cpu_offload_params=False)
    ours = _states(_moments(WORK, stage=3, world=world)["step"])
    assert ours - 4 * TOTAL // world == pytest.approx(theirs - largest, rel=1e-6)


def test_an_offloaded_optimizer_leaves_the_weights_on_the_gpu(estimators):
    cpu, gpu = estimators[0](TOTAL, num_gpus_per_node=4, num_nodes=1, cpu_offload=True, additional_buffer_factor=1.5)
    work = replace(WORK, offload="optimizer")
    assert _states(_moments(work, stage=2, world=4)["loss"]) == gpu
    # Theirs is 16 bytes a parameter, times a factor for buffers that it leaves to the user. (From five GPUs on it counts
    # a float32 copy of the model for each process instead, which loading in bfloat16 does not make.)
    assert cpu / 1.5 <= 4 * host_bytes(work, zero_stage=2, world_size=4) <= cpu


def test_offloaded_parameters_need_what_deepspeed_asks_of_a_node(estimators):
    cpu, *_ = estimators[1](TOTAL, LARGEST, 8, 1, cpu_offload=True, cpu_offload_params=True)
    work = replace(WORK, offload="parameters")
    assert cpu / 1.5 <= 8 * host_bytes(work, zero_stage=3, world_size=8) <= cpu
