"""Thousands of short histories, each with its own disasters: what must hold after every step held in all of them.

Covered: every fault of simulator/faults/ in every phase that it can strike, alone and in company; both KubeRays, one
and two replicas, clocks an hour apart. A history that fails prints its seed and the shortest script that still fails.
"""

import pytest

from simulator.chance import CELLS, write_script
from simulator.history import play
from simulator.many import CHUNK, Tally, play_many, play_seeds
from simulator.matrix import empty_cells, render_matrix
from simulator.script import Job, Script, Strike, dump, load
from simulator.shrink import shrink


@pytest.mark.parametrize("first", range(0, 10 * CHUNK, CHUNK))
def test_whatever_happens_every_job_ends_well_or_says_what_it_waits_for(first):
    tally = play_seeds(range(first, first + CHUNK))
    assert not tally.failures, "\n\n".join(tally.failures)


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_operator_that_dies_at_any_write_leaves_the_same_end(moment):
    """Killed at the k-th write of a job that is suspended once, for every k; its successor goes on."""
    deeds = (
        Strike(fault="the user suspends", phase="Running", after=50.0),
        Strike(fault="the user resumes", phase="Suspended", after=5.0),
    )
    writes = play(Script(strikes=deeds)).writes
    assert writes > 20
    for k in range(writes):
        death = Strike(fault=f"the operator is killed {moment} a write", phase="Pending", after=0.01, amount=float(k))
        result = play(Script(strikes=(death, *deeds)))
        assert not result.failed, str(result)
        assert result.phases["Succeeded"] == 1


@pytest.mark.slow
def test_two_thousand_histories_hold_and_strike_with_every_fault_in_every_phase():
    tally = Tally()
    for share in play_many(10 * CHUNK, 2000):
        tally.add(share)
    assert not tally.failures, "\n\n".join(tally.failures)
    assert tally.histories == 2000
    assert len(tally.struck) >= 0.85 * len(CELLS), empty_cells(tally)


def test_the_same_script_gives_the_same_history():
    script = write_script(18)
    assert play(script).fingerprint == play(script).fingerprint


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


def test_a_failing_script_shrinks_to_what_makes_it_fail():
    """Here a script fails if two certain faults are in it: all else goes, and the numbers become round."""
    guilty = (
        Strike(fault="a rank dies", phase="Running", after=37.0),
        Strike(fault="a node is lost", phase="Starting", amount=360.0),
    )
    noise = Strike(fault="the watches lag", phase="Running", after=3.0, amount=90.0)
    jobs = (Job(steps=20, kind="PretrainJob"), Job(upstream=0))
    script = Script(seed=9, jobs=jobs, strikes=(noise, guilty[0], noise, guilty[1]), replicas=2, kuberay="1.7")

    def fails(one: Script) -> bool:
        return {"a rank dies", "a node is lost"} <= {strike.fault for strike in one.strikes}

    want = (
        Strike(fault="a rank dies", phase="Running"),
        Strike(fault="a node is lost", phase="Starting", amount=120.0),
    )
    assert shrink(script, fails) == Script(strikes=want)


def test_the_table_says_how_often_each_fault_struck_and_a_seed_that_shows_it():
    tally = play_seeds(range(3))
    text = render_matrix(tally, first=0, last=2, hours=3)
    cell = next(iter(tally.struck))
    assert f"{tally.struck[cell]} ({tally.first_seeds[cell]})" in text
    assert f"| {cell[1]} |" in text
    assert len(empty_cells(tally)) == len(CELLS) - len(set(tally.struck) & set(CELLS))


def test_a_broken_invariant_is_noticed():
    """The checks themselves: a RayJob made behind the operator's back, as if it were the operator's second."""
    result = play(Script(strikes=(Strike(fault="a second RayJob appears", phase="Running"),)))
    assert any("two RayJobs of one job at once" in breach for breach in result.breaches)
