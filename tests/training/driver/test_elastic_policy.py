"""How many ranks an elastic group is started again with, as nodes live, die and are announced to go.

The policy is Ray's own (2.60) with another look at the nodes; the coordinator that reserves resources is left out: what
it answers is the input. The whole path runs in test_lost_node.
"""

import pytest
from ray.train import ScalingConfig
from ray.train.v2._internal.execution.scaling_policy import ElasticScalingPolicy, NoopDecision

from trivium_trainer.driver.elastic_policy import LivingNodesPolicy

pytestmark = pytest.mark.slow

TWO_GPUS = {"CPU": 16.0, "GPU": 2.0}


class RestartingState:
    """Named like Ray's."""


class RunningState:
    """Named like Ray's."""


class PreemptingState:
    """Named like Ray's."""

    class preemption_info:  # noqa: N801  an attribute with one
        preempted_ranks = (1,)


@pytest.fixture
def policy(monkeypatch):
    """Of 2 to 6 ranks with a GPU each, over nodes of two; `reserved` and `usable` are what Ray would say."""
    reserved, usable = {}, set()
    monkeypatch.setattr(ElasticScalingPolicy, "_maybe_send_resource_request", lambda _: None)

    def look(self):
        self._latest_reserved_resources_query_time += 1
        return dict(reserved)

    monkeypatch.setattr(ElasticScalingPolicy, "_get_reserved_resources", look)
    config = ScalingConfig(num_workers=(2, 6), use_gpu=True, resources_per_worker={"CPU": 1, "GPU": 1})
    policy = LivingNodesPolicy(config, usable_nodes=lambda: set(usable), settle_seconds=0.2)
    policy._latest_reserved_resources_query_time = 0.0
    return policy, reserved, usable


def decide(policy):
    decision = policy.make_decision_for_non_running_worker_group()
    return None if isinstance(decision, NoopDecision) else decision.num_workers


@pytest.mark.parametrize(
    ("reserved", "usable", "want"),
    [
        ("abc", "abc", 6),
        ("abcd", "abcd", 6),
        ("abc", "ab", 4),  # c is still counted by Ray, and dead
        ("abc", "a", 2),
        ("abc", "", None),
        ("a", "abc", 2),
    ],
)
def test_only_nodes_that_live_and_are_reserved_count(policy, reserved, usable, want):
    policy, known, living = policy
    known.update(dict.fromkeys(reserved, TWO_GPUS))
    living.update(usable)
    assert decide(policy) == want


def test_after_a_death_the_nodes_states_must_be_certain_first(policy):
    policy, known, living = policy
    known.update(a=TWO_GPUS, b=TWO_GPUS)
    living.update("ab")
    policy.after_controller_state_update(RunningState(), RestartingState())
    assert decide(policy) is None
    living.remove("b")
    policy.after_controller_state_update(RestartingState(), RestartingState())  # told every round
    assert [decide(policy) for _ in range(2)][-1] == 2


def test_after_an_announced_drain_there_is_nothing_to_wait_for(policy):
    policy, known, living = policy
    known.update(a=TWO_GPUS, b=TWO_GPUS)
    living.update("a")
    policy.after_controller_state_update(PreemptingState(), RestartingState())
    assert decide(policy) == 2
