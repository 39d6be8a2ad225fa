"""Held-out losses under names that a progress report may carry."""

import re

from hypothesis import given
from hypothesis import strategies as st

from trivium_trainer.checkpoint.marker import EvaluationRecord
from trivium_trainer.evaluation import held_out_metrics
from trivium_trainer.progress import METRIC_KEY_PATTERN


def metrics_of(losses):
    return held_out_metrics(EvaluationRecord(step=1, loss=0.0, losses=losses))


def test_a_set_is_found_under_its_own_name():
    assert metrics_of({"held-out": 1.5, "evaluation[0]": 2.5}) == {"eval_held_out": 1.5, "eval_evaluation_0": 2.5}


@given(st.dictionaries(st.text(max_size=90), st.floats(allow_nan=False), max_size=12))
def test_every_set_keeps_its_loss_whatever_its_name(losses):
    metrics = metrics_of(losses)
    assert sorted(metrics.values()) == sorted(losses.values())
    assert all(re.match(METRIC_KEY_PATTERN, key) for key in metrics)
