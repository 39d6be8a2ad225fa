"""Time and cost: each formula by hand, each source word for word."""

import pytest

from trivium.api.plan_status import Plan, PlanOutcome, SizePlan
from trivium.planning.estimate import (
    EFFICIENCY,
    estimate_fields,
    peak_flops_of,
    predict_speed,
    predict_start,
)
from trivium.planning.experience import FinishedStage
from trivium.planning.flops import TokenFlops

PEAK = 1000e12
PLAN = Plan(
    profile="h100",
    workers=2,
    gpus_per_worker=8,
    gpus=16,
    parameters=8_000_000_000,
    flops_per_step=16 * PEAK,
    total_steps=100,
    sizes=(SizePlan(world_size=16, micro_batch_size=1, gradient_accumulation=4),),
)
CPU = PLAN.model_copy(update={"gpus": 0, "gpus_per_worker": 0})


def _finished(plan=PLAN, **outcome):
    seen = PlanOutcome(**{"seconds": 1000.0, "steps": 100, "start_seconds": 60.0, **outcome})
    return FinishedStage(kind="SFTJob", adapter=False, ended_at="", plan=plan, outcome=seen)


def _speed(plan=PLAN, *, recomputed=0.0, layers=32, peak=PEAK, finished=()):
    flops = TokenFlops(model=4.0, recomputed=recomputed)
    return predict_speed(
        plan, kind="SFTJob", adapter=False, flops=flops, layers=layers, peak_flops=peak, finished=finished
    )


def test_without_experience_it_is_two_fifths_of_the_peak():
    speed = _speed()
    assert (speed.flops_per_second, speed.efficiency) == (EFFICIENCY * PEAK, EFFICIENCY) == (0.4 * PEAK, 0.4)
    assert speed.source == "assumed: 40% of the peak; published runs reach 35 to 55 %"


def test_what_is_computed_again_does_not_count_as_work():
    # Four parts are the model's, a fifth repeats one of them.
    speed = _speed(recomputed=1.0)
    assert speed.efficiency == pytest.approx(0.32)
    assert speed.flops_per_second == pytest.approx(0.32 * PEAK)
    assert speed.source == (
        "assumed: 40% of the peak, less 20% for recomputed activations; published runs reach 35 to 55 %"
    )


def test_a_small_model_waits_for_its_kernels():
    # 32 layers and four micro-batches take 128 ms at least; at two fifths of the peak this step would take 100 ms.
    small = PLAN.model_copy(update={"flops_per_step": 16 * 0.04 * PEAK})
    speed = _speed(small)
    assert speed.flops_per_second == pytest.approx(0.04 * PEAK / 0.128)
    assert speed.efficiency == pytest.approx(0.04 / 0.128)
    assert speed.source == "assumed: so small a model waits for its kernels, 1 ms a layer"
    assert _speed(small, layers=25).efficiency == EFFICIENCY, "100 ms: the two meet, and the first one is said"
    assert _speed(small.model_copy(update={"sizes": ()})).efficiency == EFFICIENCY


def test_nothing_is_assumed_without_a_peak_or_with_offload():
    assert _speed(peak=None) is None
    assert _speed(PLAN.model_copy(update={"offload": "optimizer"})) is None


def test_experience_outranks_every_assumption():
    # 16e15 FLOPs · 100 steps in 1,000 s on 16 GPUs of 1,000 TFLOPS: a tenth of the peak.
    learned = _speed(finished=(_finished(),))
    assert (learned.flops_per_second, learned.efficiency) == (0.1 * PEAK, 0.1)
    assert learned.source == "learned from 1 finished job of this shape: 10.0% of the peak"
    both = _speed(finished=(_finished(), _finished(seconds=500.0)))
    assert both.source == "learned from 2 finished jobs of this shape: 10.0% to 20.0% of the peak"
    offloaded = PLAN.model_copy(update={"offload": "optimizer"})
    assert _speed(offloaded, finished=(_finished(offloaded),)).efficiency == 0.1


def test_without_a_peak_experience_is_in_flops():
    learned = _speed(CPU, peak=None, finished=(_finished(CPU.model_copy(update={"flops_per_step": 2e9})),))
    assert (learned.flops_per_second, learned.efficiency) == (1e8, None)
    assert learned.source == "learned from 1 finished job of this shape: 0.1 GFLOPS a worker"


def test_more_than_the_peak_is_no_experience():
    assert _speed(finished=(_finished(seconds=99.0),)).efficiency == EFFICIENCY
    assert _speed(finished=(_finished(seconds=100.0),)).efficiency == 1.0


def test_the_start_is_pods_and_weights_until_a_job_has_started():
    assert predict_start(PLAN, weight_bytes=16_000_000_000, finished=()) == (
        136.0,
        "assumed: 120 s for pods, Ray and imports, and 1 GB of weights a second",
    )
    assert predict_start(CPU, weight_bytes=10_000_000, finished=())[0] == 30.01
    assert predict_start(PLAN, weight_bytes=16_000_000_000, finished=(_finished(), _finished(start_seconds=80.0))) == (
        70.0,
        "learned from 2 finished jobs of this shape: 60 to 80 s",
    )


def test_a_peak_is_the_profiles_for_the_precision(make_profile):
    assert peak_flops_of(make_profile("h100"), precision="bfloat16") == 989e12
    assert peak_flops_of(make_profile("h100"), precision="float32") is None
    assert peak_flops_of(make_profile("cpu"), precision="float32") is None


def _fields(plan=PLAN, *, peak=PEAK, price=3.0):
    return estimate_fields(plan, speed=_speed(plan, peak=peak), start=(90.04, "s"), price_per_gpu_hour=price)


def test_time_hours_and_cost_follow_from_speed_steps_and_start():
    # 16e15 FLOPs on 16 GPUs at 400 TFLOPS: 2.5 s a step, 250 s in all.
    assert _fields() == {
        "start_seconds": 90.0,
        "start_source": "s",
        "estimated_step_seconds": 2.5,
        "efficiency": 0.4,
        "efficiency_source": "assumed: 40% of the peak; published runs reach 35 to 55 %",
        "estimated_seconds": 250.0,
        "estimated_gpu_hours": round((250 + 90.04) * 16 / 3600, 3),
        "estimated_cost": round((250 + 90.04) * 16 / 3600 * 3, 2),
    }
    assert _fields(price=None)["estimated_cost"] is None


def test_without_a_length_there_is_a_step_and_no_more():
    fields = _fields(PLAN.model_copy(update={"total_steps": 0}))
    assert fields["estimated_step_seconds"] == 2.5
    assert not {"estimated_seconds", "estimated_gpu_hours", "estimated_cost"} & fields.keys()


def test_without_a_speed_there_is_only_the_start():
    assert _fields(peak=None) == {"start_seconds": 90.0, "start_source": "s"}
    assert _fields(PLAN.model_copy(update={"flops_per_step": None})).keys() == {"start_seconds", "start_source"}
