"""The same losses however the batch is cut and the state is divided.

Covered: ZeRO 0-3 x 1 and 2 ranks, micro-batch 8x1, 4x2 and 2x4, gradient checkpointing at ZeRO 0 and 3, bf16 at ZeRO
0-3 (runs and learns; equal only in fp32). Left out: GPUs, offload on GPU, more than two ranks.
"""

import math

import pytest

pytestmark = pytest.mark.slow
STAGES = (0, 1, 2, 3)


@pytest.fixture(scope="module")
def runs(lab):
    """All scenarios of this file, by name: one process group for each number of ranks."""
    evaluated = {"evaluation": {"everySteps": 4}}
    one = [lab.scenario(f"exact-z{zero}", zero=zero, **evaluated) for zero in STAGES]
    one += [
        lab.scenario(f"exact-z{zero}-micro{micro}", zero=zero, micro=micro) for zero in (0, 2, 3) for micro in (4, 2)
    ]
    one += [
        lab.scenario(f"exact-z{zero}-recomputed", zero=zero, parallelism={"gradientCheckpointing": True})
        for zero in (0, 3)
    ]
    one += [lab.scenario(f"exact-z{zero}-bf16", zero=zero, model={"dtype": "bfloat16"}) for zero in STAGES]
    one += [
        lab.scenario("exact-pretrain", recipe="pretrain"),
        lab.scenario("exact-offload", zero=2, parallelism={"offload": "optimizer"}),
    ]
    one += [lab.scenario(f"exact-{data}", zero=2, micro=4, data=data) for data in ("single-packed", "single-padded")]
    lab.train(*one)
    two = [lab.scenario(f"exact-z{zero}-ranks2", zero=zero, ranks=2, **evaluated) for zero in STAGES]
    two += [lab.scenario("exact-z2-ranks2-micro2", zero=2, ranks=2, micro=2)]
    lab.train(*two, ranks=2)
    return {scenario.name: scenario for scenario in one + two}


def assert_same_losses(have, want, *, tolerance=1e-6):
    assert have.losses.keys() == want.losses.keys() == set(range(1, 9))
    for step, loss in want.losses.items():
        assert have.losses[step] == pytest.approx(loss, abs=tolerance), step


@pytest.mark.parametrize("zero", STAGES)
def test_each_zero_stage_trains_the_same_losses_on_one_rank_and_on_two(runs, zero):
    assert_same_losses(runs[f"exact-z{zero}"], runs["exact-z0"])
    assert_same_losses(runs[f"exact-z{zero}-ranks2"], runs["exact-z0"])


@pytest.mark.parametrize(
    "name",
    [
        "exact-z0-micro4",
        "exact-z0-micro2",
        "exact-z2-micro4",
        "exact-z2-micro2",
        "exact-z3-micro4",
        "exact-z3-micro2",
        "exact-z2-ranks2-micro2",
    ],
)
def test_an_accumulated_batch_trains_the_same_losses_as_a_whole_one(runs, name):
    assert_same_losses(runs[name], runs["exact-z0"])


@pytest.mark.parametrize("zero", [0, 3])
def test_recomputed_activations_change_no_loss(runs, zero):
    assert_same_losses(runs[f"exact-z{zero}-recomputed"], runs["exact-z0"])


def test_an_optimizer_offloaded_to_main_memory_changes_no_loss(runs):
    assert_same_losses(runs["exact-offload"], runs["exact-z0"])


def test_padded_rows_train_the_same_losses_as_packed_ones(runs):
    assert_same_losses(runs["exact-single-padded"], runs["exact-single-packed"])


def test_pretraining_and_finetuning_have_one_loss(runs):
    assert runs["exact-pretrain"].losses == runs["exact-z0"].losses


@pytest.mark.parametrize("zero", STAGES)
def test_bf16_learns_at_every_stage(runs, zero):
    losses = runs[f"exact-z{zero}-bf16"].losses
    assert all(math.isfinite(loss) for loss in losses.values())
    assert losses[8] < losses[1] - 0.3
    # bf16 keeps eight bits: the first loss is that of fp32 to two digits.
    assert losses[1] == pytest.approx(runs["exact-z0"].losses[1], abs=0.05)


@pytest.mark.parametrize("zero", STAGES)
def test_the_held_out_loss_is_the_same_however_it_is_shared(runs, zero):
    want = [line["loss"] for line in runs["exact-z0"].lines("evaluation")]
    assert len(want) == 3  # before, at step 4, after
    for name in (f"exact-z{zero}", f"exact-z{zero}-ranks2"):
        assert [line["loss"] for line in runs[name].lines("evaluation")] == pytest.approx(want, abs=1e-6)


def test_every_step_reports_the_tokens_trained_so_far(runs):
    lines = runs["exact-z0"].lines("step")
    tokens = [line["tokens"] for line in lines]
    assert tokens == sorted(set(tokens))
    assert [line["tokens"] for line in runs["exact-z3-ranks2"].lines("step")] == tokens
    assert all(line["tokens_per_second"] > 0 and line["grad_norm"] > 0 for line in lines)


def test_every_rank_reports_its_memory(runs):
    lines = runs["exact-z2-ranks2"].lines("memory")
    assert [line["rank"] for line in lines] == [0, 1]
    assert all(line["peak_bytes"] > 50_000_000 for line in lines)
