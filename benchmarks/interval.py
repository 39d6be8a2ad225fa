"""The median of a few paired ratios, and how far it can be trusted: order statistics, no randomness, no model."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from statistics import median

CONFIDENCE = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A median and the interval that holds the true one with probability `coverage`."""

    median: float
    low: float
    high: float
    coverage: float

    def reaches(self, goal: float, *, at_least: bool) -> bool:
        """Whether the goal lies within the interval or on its good side."""
        return self.high >= goal if at_least else self.low <= goal


def median_interval(values: Sequence[float], *, confidence: float = CONFIDENCE) -> Interval:
    """The narrowest pair of order statistics, equally far from both ends, that covers the median with `confidence`.

    [x_(k), x_(n+1-k)] covers it with 1 - 2 P(Binomial(n, 1/2) < k) whatever the distribution (David and Nagaraja,
    Order Statistics, 7.1). With fewer than five values even the extremes cover less than 0.9: `coverage` says so.
    """
    ordered = sorted(values)
    count = len(ordered)
    rank = 1
    while rank < (count + 1) // 2 and _coverage(count, rank + 1) >= confidence:
        rank += 1
    return Interval(
        median=median(ordered),
        low=ordered[rank - 1],
        high=ordered[count - rank],
        coverage=max(0.0, _coverage(count, rank)),
    )


def _coverage(count: int, rank: int) -> float:
    return 1 - sum(comb(count, below) for below in range(rank)) / float(2 ** (count - 1))
