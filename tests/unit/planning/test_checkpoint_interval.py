"""The interval between checkpoints: Young's optimum, what it rests on, and that a job's own word wins."""

import re
from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivium.api.plan_status import Plan, PlanOutcome
from trivium.planning import plan_stage
from trivium.planning.checkpoint_interval import best_interval, lost_share
from trivium.planning.experience import FinishedStage

saves, mtbfs = st.floats(0.01, 600), st.floats(1000, 1e7)


@given(save=saves, mtbf=mtbfs, factor=st.floats(0.05, 20))
def test_no_other_interval_loses_less(save, mtbf, factor):
    best = best_interval(save_seconds=save, mtbf_seconds=mtbf)
    cost = {"save_seconds": save, "mtbf_seconds": mtbf}
    least = lost_share(interval_seconds=best, **cost)
    other = max(save, factor * best)
    assert least <= lost_share(interval_seconds=other, **cost) * (1 + 1e-9)
    # C / T = T / (2 · MTBF) at the optimum, so both are half of the loss.
    if best > save:
        assert least == pytest.approx(sqrt(2 * save / mtbf))


def test_twice_the_best_interval_costs_a_quarter_more():
    cost = {"save_seconds": 10.0, "mtbf_seconds": 100_000.0}
    best = best_interval(**cost)
    assert lost_share(interval_seconds=2 * best, **cost) == pytest.approx(
        1.25 * lost_share(interval_seconds=best, **cost)
    )


def test_saving_never_overlaps_itself():
    assert best_interval(save_seconds=100.0, mtbf_seconds=1.0) == 100.0


def _plan(make_job, make_profile, make_inspection, *, finished=(), profile="h100", **spec):
    job = make_job("SFTJob", **spec)
    inspection = make_inspection("8b" if profile == "h100" else "tiny")
    return plan_stage(job, stage="train", profile=make_profile(profile), inspection=inspection, finished=finished)


def test_the_plan_says_the_interval_and_what_it_rests_on(make_job, make_profile, make_inspection):
    plan = _plan(make_job, make_profile, make_inspection, compute={"workers": 2})
    # 14 bytes a parameter over two workers of 1 GB/s, and a second.
    save = 1 + 14 * 8_030_261_248 / 2e9
    # 50,678 GPU-hours between interruptions of Llama 3's run, and one other a day.
    mtbf = 3600 / (16 / (54 * 24 * 16_384 / 419) + 1 / 24)
    assert plan.checkpoint_seconds == pytest.approx(sqrt(2 * save * mtbf), rel=1e-4)
    assert f"C = {save:.1f} s" in plan.checkpoint_source
    assert f"MTBF = {mtbf / 3600:.1f} h" in plan.checkpoint_source
    assert any("A checkpoint every" in note for note in plan.notes)


def test_steps_follow_from_the_estimated_time_of_a_step(make_job, make_profile, make_inspection):
    plan = _plan(
        make_job, make_profile, make_inspection, compute={"workers": 2}, optimization={"epochs": None, "steps": 100_000}
    )
    assert plan.checkpoint_every_steps == pytest.approx(plan.checkpoint_seconds / plan.estimated_step_seconds, rel=0.02)
    short = _plan(make_job, make_profile, make_inspection, compute={"workers": 2})
    assert short.checkpoint_every_steps == short.total_steps, "the whole run is shorter than an interval"
    laptop = _plan(make_job, make_profile, make_inspection, profile="cpu")
    assert laptop.checkpoint_seconds > 0
    assert laptop.checkpoint_every_steps is None


@pytest.mark.parametrize("every", [{"steps": 500}, {"minutes": 5}, {"steps": 500, "minutes": 5}])
def test_what_the_job_says_is_not_chosen_again(make_job, make_profile, make_inspection, every):
    plan = _plan(make_job, make_profile, make_inspection, storage={"checkpoints": {"every": every}})
    assert (plan.checkpoint_seconds, plan.checkpoint_every_steps, plan.checkpoint_source) == (None, None, "")


def test_more_gpus_fail_more_often_and_save_more_often(make_job, make_profile, make_inspection):
    def interval(workers):
        spec = {"compute": {"workers": workers}, "optimization": {"globalBatchSize": 8 * 512}}
        return _plan(make_job, make_profile, make_inspection, **spec).checkpoint_seconds

    assert interval(512) < interval(64) < interval(2)


def test_an_adapter_is_a_small_checkpoint(make_job, make_profile, make_inspection):
    whole = _plan(make_job, make_profile, make_inspection, compute={"workers": 2})
    adapter = _plan(make_job, make_profile, make_inspection, compute={"workers": 2}, adapter={})
    assert adapter.checkpoint_seconds < whole.checkpoint_seconds / 3


def _finished(plan: Plan, **outcome):
    seen = PlanOutcome(**{"seconds": 3600.0, "steps": 10, **outcome})
    return FinishedStage(kind="SFTJob", adapter=False, ended_at="", plan=plan, outcome=seen)


def _mtbf_hours(plan):
    return float(re.search(r"MTBF = ([\d.]+) h", plan.checkpoint_source).group(1))


def test_saves_and_failures_are_learned(make_job, make_profile, make_inspection):
    first = _plan(make_job, make_profile, make_inspection, compute={"workers": 2})
    # A day of these machines with eleven interruptions: with the assumed one, twelve in about two days.
    troubled = _finished(first, seconds=24 * 3600.0, interruptions=11, save_seconds=4.0)
    after = _plan(make_job, make_profile, make_inspection, compute={"workers": 2}, finished=(troubled,))
    assert _mtbf_hours(after) == pytest.approx((_mtbf_hours(first) + 24) / 12, abs=0.1)
    assert "C = 4.0 s (learned from 1 finished job of this shape)" in after.checkpoint_source
    assert "corrected by 11 interruptions in" in after.checkpoint_source
    assert after.checkpoint_seconds < first.checkpoint_seconds / 3
    quiet = _finished(first, seconds=100 * 24 * 3600.0)
    calm = _plan(make_job, make_profile, make_inspection, compute={"workers": 2}, finished=(quiet,))
    assert _mtbf_hours(calm) > 50 * _mtbf_hours(first)


def test_both_numbers_and_their_origin_are_said_word_for_word(make_job, make_profile, make_inspection):
    two_nodes = _plan(make_job, make_profile, make_inspection, compute={"workers": 2})
    assert two_nodes.checkpoint_source == (
        "sqrt(2 · C · MTBF) with C = 57.2 s (assumed: 112 GB, and 1 GB/s from each worker) and MTBF = 23.8 h "
        "(assumed for 16 GPUs: Llama 3's rate and one other interruption a day)"
    )
    # 12 bytes a parameter in float32: 30.7 MB, so C is its fixed second.
    laptop = _plan(make_job, make_profile, make_inspection, profile="cpu")
    assert laptop.checkpoint_source == (
        "sqrt(2 · C · MTBF) with C = 1.0 s (assumed: 0.0307 GB, and 1 GB/s from each worker) and MTBF = 24.0 h "
        "(assumed for 1 worker: Llama 3's rate and one other interruption a day)"
    )
    one = make_job("SFTJob", compute={"gpusPerWorker": 1}, adapter={})
    single = plan_stage(one, stage="train", profile=make_profile("h100"), inspection=make_inspection("8b"))
    assert "assumed for 1 GPU: " in single.checkpoint_source
    # 14 bytes a trained parameter of the adapter, all through one worker.
    trained = 16 * 32 * (2 * 8192 + 2 * 5120 + 3 * 18432)
    save = 1 + 14 * trained / 1e9
    assert f"C = {save:.1f} s" in single.checkpoint_source


@pytest.mark.parametrize(
    ("hours", "interruptions", "want"),
    [
        (0.25, 1, "corrected by 1 interruption in 4.00 rank-hours on this profile"),
        (1000, 0, "corrected by 0 interruptions in 16,000 rank-hours on this profile"),
    ],
)
def test_what_corrected_the_assumption_is_said(make_job, make_profile, make_inspection, hours, interruptions, want):
    first = _plan(make_job, make_profile, make_inspection, compute={"workers": 2})
    seen = _finished(first, seconds=3600.0 * hours, interruptions=interruptions)
    plan = _plan(make_job, make_profile, make_inspection, compute={"workers": 2}, finished=(seen,))
    assert plan.checkpoint_source.endswith(f"; {want})")
