"""A run that diverges on its data goes back, leaves that data out, and goes on as if it had never been there.

Covered: a batch that makes every number NaN, the rollback to the checkpoint before the last, a stop and a resume after
it, the same windows on a run that never diverged; what marker, output and model card record. One rank, ZeRO-2: the data
order knows nothing of ranks (tests/unit/trainer_data), and checkpoints of several are resumed in test_resume_exactness.
"""

import json

import pytest

from trivium_trainer.checkpoint.inventory import list_complete
from trivium_trainer.config import SkipWindow

pytestmark = pytest.mark.slow

POISONED = {"data": "poisoned", "base": "poisoned-base", "zero": 2, "checkpoints": {"everySteps": 2, "keep": 3}}
WINDOW = {"dataStep": 5, "steps": 3, "rollbackTo": 4}
SKIPS = {"skips": [WINDOW], "output": {"modelCard": True}}


@pytest.fixture(scope="module")
def runs(lab):
    scenarios = [
        lab.scenario("diverged", run="rolled-back", **POISONED),
        lab.scenario("stopped", run="rolled-back", options={"stop_in_step": 6}, **POISONED, **SKIPS),
        lab.scenario("resumed", run="rolled-back", **POISONED, **SKIPS),
        lab.scenario("whole", **POISONED, **SKIPS),
    ]
    lab.train(*scenarios)
    return {scenario.name: scenario for scenario in scenarios}


def test_a_run_diverges_at_the_poisoned_batch_and_says_where(runs):
    result = runs["diverged"].result
    assert (result["outcome"], result["class"], result["reason"]) == ("failed", "Diverged", "LossIsNaN")
    assert (result["failure"]["step"], result["failure"]["data_step"]) == (7, 7)
    assert result["state"]["checkpoints"] == [2, 4, 6]


def test_the_next_run_goes_on_from_the_checkpoint_before_the_last_and_finishes(runs):
    assert runs["stopped"].result["outcome"] == "stopped"
    assert list(runs["stopped"].losses) == [5, 6]
    assert "checkpoints of steps 6 knew nothing" in runs["stopped"].result["state"]["message"]
    assert (runs["resumed"].result["outcome"], list(runs["resumed"].losses)) == ("complete", [7, 8])


def test_with_the_window_an_interrupted_run_has_the_losses_of_one_that_was_never_interrupted(runs):
    assert runs["whole"].result["outcome"] == "complete"
    together = {step: runs["diverged"].losses[step] for step in range(1, 5)}
    together |= runs["stopped"].losses | runs["resumed"].losses
    assert together == runs["whole"].losses


def test_markers_output_and_model_card_say_what_was_left_out(runs):
    window = SkipWindow.model_validate(WINDOW)
    stage = runs["resumed"].stage
    assert {one.marker.step: one.marker.skips for one in list_complete(stage.checkpoints)} == {
        4: [],
        6: [window],
        8: [window],
    }
    assert not list(stage.checkpoints.glob("abandoned-*"))
    assert json.loads((stage.output / "output.json").read_text())["skips"] == [WINDOW]
    assert "- data steps 5 to 7, going on from the checkpoint of step 4" in (stage.model / "README.md").read_text()


def test_the_last_reports_say_how_well_the_published_model_does_and_what_it_held(runs):
    result = runs["resumed"].result
    (last,) = [line for line in runs["resumed"].lines("evaluation") if line["step"] == 8]
    assert result["state"]["metrics"] == {"eval_held_out": last["loss"]}
    assert 0 < result["state"]["memory_bytes"] < 2**30  # a model of 0.1 M parameters, the libraries not counted
    assert "restore" in result["beats"]
