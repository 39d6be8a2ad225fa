"""Keys to reconcile, by the rules of client-go's workqueue: one pass per key at a time, delays, back-off per key.

    add ──> dirty ──> queue ──pop──> processing ──done──> (added meanwhile? back to the queue)
              ^                          |
              └── add while processing ──┘            waiting: keys with a time, moved to the queue by pop

A key that is added while its pass runs is handed out again when that pass is done, and never to two workers at once.
Only `get` awaits; everything else is plain, so that a simulation drives the same queue step by step.
Source: k8s.io/client-go/util/workqueue (queue.go, delaying_queue.go, default_rate_limiters.go).
"""

import asyncio
import heapq
from collections import deque
from collections.abc import Hashable
from datetime import datetime, timedelta
from itertools import count
from typing import Generic, TypeVar

from trivium.ports import Clock

Key = TypeVar("Key", bound=Hashable)

BASE_DELAY = timedelta(milliseconds=200)
"""First back-off after an error. client-go starts at 5 ms; our errors are API servers that need a moment."""
MAX_DELAY = timedelta(minutes=5)
_MAX_DOUBLINGS = 16  # 200 ms · 2^16 is far above MAX_DELAY; a larger exponent would only overflow


class WorkQueue(Generic[Key]):
    """Not thread-safe: it lives on one event loop."""

    def __init__(self, clock: Clock, *, base_delay: timedelta = BASE_DELAY, max_delay: timedelta = MAX_DELAY) -> None:
        self._clock = clock
        self._base_delay = base_delay
        self._max_delay = max_delay
        self._queue: deque[Key] = deque()
        self._dirty: dict[Key, datetime] = {}
        """Since when each key waits for its pass."""
        self._processing: dict[Key, timedelta] = {}
        """How long each key had waited."""
        self._waiting: list[tuple[datetime, int, Key]] = []
        self._ready_at: dict[Key, datetime] = {}
        self._failures: dict[Key, int] = {}
        self._order = count()
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        """Keys ready to be handed out now."""
        return len(self._queue)

    def add(self, key: Key) -> None:
        """Ask for a pass as soon as possible; asking twice before it starts is asking once."""
        self._add_since(key, self._clock.now())

    def add_after(self, key: Key, delay: timedelta) -> None:
        """Ask for a pass after `delay`. Of several delays of one key the earliest counts."""
        if delay <= timedelta(0):
            self.add(key)
            return
        self.add_at(key, self._clock.now() + delay)

    def add_at(self, key: Key, ready_at: datetime) -> None:
        """Ask for a pass at a time; the earliest of several counts."""
        known = self._ready_at.get(key)
        if known is not None and known <= ready_at:
            return
        self._ready_at[key] = ready_at
        heapq.heappush(self._waiting, (ready_at, next(self._order), key))
        self._changed.set()

    def add_rate_limited(self, key: Key) -> timedelta:
        """Ask again after an error; the delay doubles until `forget`. Returns the delay."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay = min(self._base_delay * (1 << min(failures, _MAX_DOUBLINGS)), self._max_delay)
        self.add_after(key, delay)
        return delay

    def forget(self, key: Key) -> None:
        """A pass went well: the next error starts at the base delay again."""
        self._failures.pop(key, None)

    def next_ready_at(self) -> datetime | None:
        """When the earliest delayed key becomes ready; None if no key is delayed."""
        self._drop_superseded()
        return self._waiting[0][0] if self._waiting else None

    def pop(self) -> Key | None:
        """Hand out the oldest ready key, or None. The caller owes a `done`."""
        self._promote()
        if not self._queue:
            return None
        key = self._queue.popleft()
        self._processing[key] = max(timedelta(0), self._clock.now() - self._dirty.pop(key))
        return key

    def waited(self, key: Key) -> timedelta:
        """How long a key that was handed out had been ready, an earlier pass over it included; 0 for any other."""
        return self._processing.get(key, timedelta(0))

    async def get(self) -> Key:
        """Wait for a ready key and hand it out. The caller owes a `done`."""
        while True:
            key = self.pop()
            if key is not None:
                return key
            self._changed.clear()
            await self._clock.wait(self._changed, until=self.next_ready_at())

    def done(self, key: Key) -> None:
        """The pass over `key` is over."""
        self._processing.pop(key, None)
        if key in self._dirty:
            self._queue.append(key)
            self._changed.set()

    def _promote(self) -> None:
        now = self._clock.now()
        self._drop_superseded()
        while self._waiting and self._waiting[0][0] <= now:
            ready_at, _, key = heapq.heappop(self._waiting)
            del self._ready_at[key]
            self._add_since(key, ready_at)
            self._drop_superseded()

    def _add_since(self, key: Key, since: datetime) -> None:
        if key in self._dirty:
            return
        self._dirty[key] = since
        if key not in self._processing:
            self._queue.append(key)
            self._changed.set()

    def _drop_superseded(self) -> None:
        # An earlier time for a key leaves its old entry in the heap; it is recognized by its time.
        while self._waiting and self._ready_at.get(self._waiting[0][2]) != self._waiting[0][0]:
            heapq.heappop(self._waiting)
