"""Shares: how often, and how many at once, each of many strangers may come. Bounded in memory."""

from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable

_MAX_KEYS = 8192


class Rate:
    """A bucket of `burst` turns for each key, refilled with `per_second`."""

    def __init__(self, *, burst: int, per_second: float, monotonic: Callable[[], float]) -> None:
        self._burst = burst
        self._per_second = per_second
        self._monotonic = monotonic
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()
        """Turns left, and when that was; the key that came last is last, so a full one is forgotten first."""

    def take(self, key: Hashable) -> bool:
        """Take a turn, if there is one."""
        now = self._monotonic()
        left, then = self._buckets.pop(key, (float(self._burst), now))
        left = min(self._burst, left + (now - then) * self._per_second)
        taken = left >= 1
        self._buckets[key] = (left - 1 if taken else left, now)
        while len(self._buckets) > _MAX_KEYS:
            self._buckets.popitem(last=False)
        return taken


class Places:
    """At most `each` at once for a key, and `total` for all."""

    def __init__(self, *, each: int, total: int) -> None:
        self._each = each
        self._total = total
        self._taken: Counter[Hashable] = Counter()
        self._all = 0

    def enter(self, key: Hashable) -> bool:
        """Take a place, if there is one; who took one leaves it."""
        if self._all >= self._total or self._taken[key] >= self._each:
            return False
        self._taken[key] += 1
        self._all += 1
        return True

    def leave(self, key: Hashable) -> None:
        """Give the place back."""
        self._all -= 1
        self._taken[key] -= 1
        if not self._taken[key]:
            del self._taken[key]
