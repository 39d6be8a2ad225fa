"""What a comparison is, and how its rounds are run: every side once a round, in an order that turns."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Protocol

from benchmarks.interval import Interval, median_interval

Figures = dict[str, Any]
"""What one side measured, e.g. {"tokensPerSecond": 612.0, "firstLoss": 9.70}."""
SAME_FIRST_LOSS = 1e-4
"""Sides that claim the same work must agree this well on the first loss: fp32 sums in another order differ by 1e-6."""
SAME_LAST_LOSS = 1e-2
"""And this well on the last step's, where both know it: rounding grows with the steps, another optimizer shows more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How much is measured. The defaults are the least that counts; less is a smoke test."""

    pairs: int = 5
    steps: int = 100
    warmup: int = 10
    parameters: int = 30_000_000
    threads: int = 1

    @property
    def counts(self) -> bool:
        """Whether a result of these settings may stand in the table."""
        least = Settings()
        return all(getattr(self, one.name) >= getattr(least, one.name) for one in fields(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One row of the table: `side`'s figure divided by `against`'s."""

    title: str
    side: str
    against: str
    figure: str
    goal: float
    at_least: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A comparison that is ready to be measured. Each side runs in processes of its own and returns its figures."""

    sides: Mapping[str, Callable[[], Figures]]
    same_work: Sequence[str] = ()
    """Sides whose losses must be equal: of the first step, and of the last where a side knows it."""
    derived: Mapping[str, Callable[[Mapping[str, Figures]], Figures]] = field(default_factory=dict)
    """Further sides whose figures follow from the measured ones."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What a reader must know of the inputs, kept with the result."""


class Comparison(Protocol):
    """A module of this package."""

    NAME: str
    GOALS: Sequence[Goal]

    def prepare(self, settings: Settings, folder: Path) -> Bench:
        """Make the inputs of all sides below `folder`; nothing of it is measured."""


class DifferentWorkError(Exception):
    """Two sides that should compute the same do not: their speeds must not be compared."""


def rounds(bench: Bench, *, pairs: int) -> Iterator[dict[str, Figures]]:
    """`pairs` rounds of all sides; round r begins with side r, so that none is always the first.

    Raises DifferentWorkError.
    """
    names = list(bench.sides)
    for number in range(pairs):
        turn = number % len(names)
        figures: dict[str, Figures] = {}
        for name in names[turn:] + names[:turn]:
            figures[name] = bench.sides[name]()
        require_same_work(figures, bench.same_work)
        ordered = {name: figures[name] for name in names}
        yield ordered | {name: derive(ordered) for name, derive in bench.derived.items()}


def require_same_work(figures: Mapping[str, Figures], names: Sequence[str]) -> None:
    """Raises DifferentWorkError where losses differ."""
    for figure, tolerance in (("firstLoss", SAME_FIRST_LOSS), ("lastLoss", SAME_LAST_LOSS)):
        losses = {name: figures[name][figure] for name in names if figure in figures[name]}
        # `not <=`: NaN agrees with nothing.
        if not all(abs(one - other) <= tolerance for one in losses.values() for other in losses.values()):
            told = ", ".join(f"{name} {loss:.6f}" for name, loss in losses.items())
            raise DifferentWorkError(f"{figure} differs by more than {tolerance}: {told}")


def ratio(goal: Goal, measured: Sequence[Mapping[str, Figures]]) -> Interval:
    """The median of the pairwise ratios of one goal, with its interval."""
    return median_interval([one[goal.side][goal.figure] / one[goal.against][goal.figure] for one in measured])


def measure(comparison: Comparison, settings: Settings, folder: Path, *, machine: dict[str, str]) -> dict[str, Any]:
    """Run one comparison; a JSON line for each pair on the way. Returns its result file's content."""
    folder.mkdir(parents=True)
    bench = comparison.prepare(settings, folder)
    measured = []
    for number, one in enumerate(rounds(bench, pairs=settings.pairs)):
        ratios = {
            f"{goal.side}/{goal.against}": one[goal.side][goal.figure] / one[goal.against][goal.figure]
            for goal in comparison.GOALS
        }
        print(json.dumps({"comparison": comparison.NAME, "pair": number, **one, "ratios": ratios}), flush=True)
        measured.append(one)
    return {
        "comparison": comparison.NAME,
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": machine,
        "settings": asdict(settings),
        "facts": bench.facts,
        "pairs": measured,
    }
