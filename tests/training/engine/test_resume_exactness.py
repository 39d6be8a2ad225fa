"""A run that was stopped or killed goes on as if nothing had been: the same losses as an uninterrupted one.

Covered: stop and resume at ZeRO 0-3 on one rank and on two (bit for bit), with dropout, 2 -> 1 and 1 -> 2 ranks through the
universal checkpoint (1e-6), with LoRA; kill -9 in the middle of a save and of a step; a damaged checkpoint; checkpoints
of another run. 37 rows and batches of 8: the second epoch begins inside a batch, before the stop.
"""

import pytest

from trivium_trainer.checkpoint.inventory import list_complete
from trivium_trainer.checkpoint.marker import read_marker

pytestmark = pytest.mark.slow
STAGES = (0, 1, 2, 3)
STEPS = 8
DROPOUT = {"plan": {"dropout": 0.1}}
LORA = {"adapter": {"lora": {"rank": 4}}, "base": "base", "zero": 2}


def interrupted(lab, name, *, stop=6, **changes):
    """(the same run never stopped, stopped in step `stop`, resumed)"""
    whole = lab.scenario(f"{name}-whole", **changes)
    stopped = lab.scenario(f"{name}-stopped", run=name, options={"stop_in_step": stop}, **changes)
    return [whole, stopped, lab.scenario(f"{name}-resumed", run=name, **changes)]


@pytest.fixture(scope="module")
def runs(lab):
    """Every scenario, by name. Later groups resume on another number of ranks what earlier ones stopped."""
    same = [s for zero in STAGES for s in interrupted(lab, f"one-z{zero}", zero=zero)]
    same += interrupted(lab, "one-dropout", zero=2, **DROPOUT) + interrupted(lab, "one-lora", **LORA)
    grow = [
        lab.scenario(f"grow-z{zero}-stopped", run=f"grow-z{zero}", zero=zero, options={"stop_in_step": 4})
        for zero in STAGES
    ]
    damaged = [lab.scenario("damaged-stopped", run="damaged", zero=2, options={"stop_in_step": 6})]
    newest = damaged[0].stage.checkpoint(6) / "state" / "mp_rank_00_model_states.pt"
    damaged += [lab.scenario("damaged-resumed", run="damaged", zero=2, options={"truncate": str(newest)})]
    other = [
        lab.scenario("other-stopped", run="other", zero=2, options={"stop_in_step": 4}),
        lab.scenario("other-batch", run="other", zero=2, batch=4),
        lab.scenario("other-zero", run="other", zero=1),
        lab.scenario(
            "other-seed",
            run="other",
            zero=2,
            optimization={"totalSteps": 8, "globalBatchSize": 8, "learningRate": 5e-3, "seed": 4},
        ),
        lab.scenario("other-model", run="other", zero=2, adapter={"lora": {}}),
    ]
    complete = [lab.scenario("complete", run="one-z0", zero=0)]
    lab.train(*same, *grow, *damaged, *other, *complete)

    two = [s for zero in STAGES for s in interrupted(lab, f"two-z{zero}", zero=zero, ranks=2)]
    shrink = [
        lab.scenario(f"shrink-z{zero}-stopped", run=f"shrink-z{zero}", zero=zero, ranks=2, options={"stop_in_step": 4})
        for zero in STAGES
    ]
    shrink += [lab.scenario("shrink-lora-stopped", run="shrink-lora", ranks=2, options={"stop_in_step": 4}, **LORA)]
    grown = [lab.scenario(f"grow-z{zero}-resumed", run=f"grow-z{zero}", zero=zero, ranks=2) for zero in STAGES]
    step_killed = [lab.scenario("step-killed", zero=2, ranks=2, options={"kill_after_step": 6})]
    lab.train(*two, *shrink, *grown, *step_killed, ranks=2)

    save_killed = [lab.scenario("save-killed", zero=2)]
    save_killed[0].options.update(kill_at_save=2, watch=str(save_killed[0].stage.checkpoint(8)))
    lab.train(*save_killed)
    half_saved = save_killed[0].stage.checkpoint(8)
    assert half_saved.is_dir()
    assert read_marker(half_saved) is None

    last = [lab.scenario(f"shrink-z{zero}-resumed", run=f"shrink-z{zero}", zero=zero) for zero in STAGES]
    last += [lab.scenario("shrink-lora-resumed", run="shrink-lora", **LORA)]
    last += [
        lab.scenario("save-resumed", run="save-killed", zero=2),
        lab.scenario("step-resumed", run="step-killed", zero=2),
    ]
    lab.train(*last)
    everything = [*same, *grow, *damaged, *other, *complete, *two, *shrink, *grown, *step_killed, *save_killed, *last]
    return {scenario.name: scenario for scenario in everything}


def assert_goes_on(resumed, whole, *, after, tolerance=0.0):
    """The resumed losses are the rest of the uninterrupted run's."""
    assert list(resumed.losses) == list(range(after + 1, STEPS + 1))
    for step, loss in resumed.losses.items():
        assert loss == pytest.approx(whole.losses[step], abs=tolerance), step
    assert resumed.lines("step")[-1]["tokens"] == whole.lines("step")[-1]["tokens"]


@pytest.mark.parametrize(
    "name", [f"{size}-z{zero}" for size in ("one", "two") for zero in STAGES] + ["one-dropout", "one-lora"]
)
def test_a_stopped_run_goes_on_bit_for_bit(runs, name):
    stopped = runs[f"{name}-stopped"].result
    assert (stopped["outcome"], stopped["step"]) == ("stopped", 6)
    assert_goes_on(runs[f"{name}-resumed"], runs[f"{name}-whole"], after=6)


def test_dropout_is_on_in_the_test_of_dropout(runs):
    assert runs["one-dropout-whole"].losses != runs["one-z2-whole"].losses


@pytest.mark.parametrize("name", [f"z{zero}" for zero in STAGES])
def test_a_run_goes_on_with_half_and_with_twice_the_ranks(runs, name):
    assert_goes_on(runs[f"shrink-{name}-resumed"], runs[f"one-{name}-whole"], after=4, tolerance=1e-6)
    assert_goes_on(runs[f"grow-{name}-resumed"], runs[f"one-{name}-whole"], after=4, tolerance=1e-6)


def test_an_adapter_goes_on_with_half_the_ranks(runs):
    assert_goes_on(runs["shrink-lora-resumed"], runs["one-lora-whole"], after=4, tolerance=1e-6)


def test_no_converted_shards_stay_behind(runs):
    assert not list(runs["shrink-z2-resumed"].stage.checkpoints.rglob("universal"))


def test_a_run_killed_in_the_middle_of_a_save_goes_on_from_the_checkpoint_before(runs):
    assert runs["save-killed"].result["outcome"] == "killed"
    assert_goes_on(runs["save-resumed"], runs["one-z2-whole"], after=4)


def test_a_run_whose_rank_was_killed_goes_on_with_the_ranks_that_are_left(runs):
    assert_goes_on(runs["step-resumed"], runs["one-z2-whole"], after=4, tolerance=1e-6)


def test_a_damaged_checkpoint_is_set_aside_and_the_one_before_it_is_used(runs):
    resumed = runs["damaged-resumed"]
    assert_goes_on(resumed, runs["one-z2-whole"], after=4)
    assert "step-00000006: state/mp_rank_00_model_states.pt has" in resumed.result["state"]["message"]


@pytest.mark.parametrize(
    ("name", "want_field"),
    [
        ("batch", "optimization.globalBatchSize"),
        ("zero", "parallelism.zeroStage"),
        ("seed", "data"),
        ("model", "model"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(runs, name, want_field):
    result = runs[f"other-{name}"].result
    assert (result["outcome"], result["class"], result["reason"]) == ("failed", "UserError", "CheckpointOfAnotherRun")
    assert result["message"].startswith(f"{want_field}: the checkpoint of step 4 was written with ")


def test_a_complete_run_succeeds_at_once(runs):
    result = runs["complete"].result
    assert (result["outcome"], result["lines"]) == ("complete", [])


def test_complete_checkpoints_are_kept_as_many_as_the_job_says(runs):
    kept = [complete.marker.step for complete in list_complete(runs["one-z2-resumed"].stage.checkpoints)]
    assert kept == [8, 6, 4]


def test_an_adapters_checkpoint_holds_no_base_weights(runs):
    full, adapter = (
        list_complete(runs[name].stage.checkpoints)[0].marker for name in ("one-z2-whole", "one-lora-whole")
    )
    assert adapter.bytes < full.bytes / 3
