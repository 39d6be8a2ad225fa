"""Many histories on every core, in the order of their seeds."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context

from simulator.chance import write_script
from simulator.history import play
from simulator.script import Script
from simulator.shrink import shrink

CHUNK = 20


@dataclass(kw_only=True)
class Tally:
    """What came of some histories."""

    histories: int = 0
    struck: Counter[tuple[str, str]] = field(default_factory=Counter)
    first_seeds: dict[tuple[str, str], int] = field(default_factory=dict)
    """Cell of the table -> the first seed that came into it."""
    failures: list[str] = field(default_factory=list)
    """Scripts, shrunk, with what was breached."""
    failed_seeds: list[int] = field(default_factory=list)
    writes: int = 0
    simulated_seconds: float = 0.0

    def add(self, other: "Tally") -> None:
        self.histories += other.histories
        self.struck += other.struck
        for cell, seed in other.first_seeds.items():
            self.first_seeds.setdefault(cell, seed)
        self.failures += other.failures
        self.failed_seeds += other.failed_seeds
        self.writes += other.writes
        self.simulated_seconds += other.simulated_seconds


def play_seeds(seeds: Iterable[int]) -> Tally:
    """One process's share."""
    tally = Tally()
    for seed in seeds:
        result = play(write_script(seed))
        tally.histories += 1
        tally.struck += result.struck
        for cell in result.struck:
            tally.first_seeds.setdefault(cell, seed)
        tally.writes += result.writes
        tally.simulated_seconds += result.seconds
        if result.failed:
            tally.failed_seeds.append(seed)
            # The first of a share is made short; more of the same would only cost time.
            text = explain(result.script) if not tally.failures else str(result)
            tally.failures.append(f"seed {seed}:\n{text}")
    return tally


def explain(script: Script) -> str:
    """The shortest script that fails as this one does, and how."""
    return str(play(shrink(script, lambda one: play(one).failed)))


def play_many(first: int, count: int) -> Iterator[Tally]:
    """Tallies of consecutive shares, as they are done."""
    shares = [range(start, min(start + CHUNK, first + count)) for start in range(first, first + count, CHUNK)]
    workers = len(os.sched_getaffinity(0))
    if workers == 1:
        yield from map(play_seeds, shares)
        return
    # Spawned: a fork of a process that has threads (pytest's time-out) may hang.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(play_seeds, shares)
