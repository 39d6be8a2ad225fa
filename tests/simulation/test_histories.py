"""Thousands of short histories, each with its own disasters: what must hold after every step held in all of them.

Covered: every fault of simulator/faults.py in every phase that it can strike, alone and in company; both KubeRays, one
and two replicas, clocks an hour apart. A history that fails prints its seed and the shortest script that still fails.
"""

import pytest

from simulator.chance import write_script
from simulator.history import play
from simulator.script import Script, Strike, dump, load

SEEDS = range(200)


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_happens_every_job_ends_well_or_says_what_it_waits_for(seed):
    result = play(write_script(seed))
    assert not result.failed, str(result)


def test_the_same_script_gives_the_same_history():
    script = write_script(17)
    first, second = play(script), play(script)
    assert (first.seconds, first.writes, first.phases) == (second.seconds, second.writes, second.phases)


def test_a_script_survives_its_own_file():
    for seed in range(50):
        script = write_script(seed)
        assert load(dump(script)) == script


def test_a_history_that_nothing_befalls_succeeds():
    result = play(Script())
    assert result.phases["Succeeded"] == 1
    assert not result.failed, str(result)


def test_a_fault_is_counted_in_the_phase_that_it_struck():
    result = play(Script(strikes=(Strike(fault="a rank dies", phase="Running", after=40.0),)))
    assert result.struck == {("Running", "a rank dies"): 1}
