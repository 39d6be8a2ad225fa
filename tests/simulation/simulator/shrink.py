"""From a history that fails to the shortest script that still does: fewer faults, a plainer world, rounder numbers."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from simulator.faults import CATALOG
from simulator.script import Job, Script, Strike

Fails = Callable[[Script], bool]
MAX_TRIES = 400


def shrink(script: Script, fails: Fails) -> Script:
    """The plainest script found that fails too; `script` must fail."""
    tries = MAX_TRIES
    while True:
        for simpler in _simpler(script):
            tries -= 1
            if tries < 0:
                return script
            if fails(simpler):
                script = simpler
                break
        else:
            return script


def _simpler(script: Script) -> Iterator[Script]:
    """Plainer by one thing, the greatest savings first."""
    for place in range(len(script.strikes)):
        yield script.with_strikes(script.strikes[:place] + script.strikes[place + 1 :])
    if len(script.jobs) > 1 and all(strike.job < len(script.jobs) - 1 for strike in script.strikes):
        yield replace(script, jobs=script.jobs[:-1])
    usual = Script()
    for part in ("replicas", "skews", "default_queue", "bad_data", "kuberay"):
        if getattr(script, part) != getattr(usual, part):
            yield replace(script, **{part: getattr(usual, part)})
    for place, job in enumerate(script.jobs):
        if job != (plain := replace(Job(), upstream=job.upstream)):
            yield replace(script, jobs=(*script.jobs[:place], plain, *script.jobs[place + 1 :]))
    for place, strike in enumerate(script.strikes):
        for rounder in _rounder(strike):
            yield script.with_strikes((*script.strikes[:place], rounder, *script.strikes[place + 1 :]))
    if script.seed:
        yield replace(script, seed=0)


def _rounder(strike: Strike) -> Iterator[Strike]:
    for after in (0.0, 1.0, 10.0, 30.0, 60.0):
        if after < strike.after:
            yield replace(strike, after=after)
    usual = CATALOG[strike.fault].amount
    if strike.amount != usual and (not usual or strike.amount > usual):
        yield replace(strike, amount=usual)
