"""What a process hears of the API server, and when: one stream per kind, each late, cut, deaf, doubled or out of order.

Within one object a watch never reorders; between objects and between kinds nothing is promised.
"""

from collections.abc import Callable
from random import Random

from simulator.api_server import ApiServer
from simulator.loop import VirtualLoop
from trivium.ports import Manifest, ObjectKey
from trivium.store import WATCHED_KINDS, key_of

_LATENCY = (0.005, 0.2)
_DISORDER_SECONDS = 3.0
_APART = 1e-6  # the loop keeps no order among timers of the same moment

Deliver = Callable[[str | None, Manifest], None]


class Watches:
    """The streams of one process. `deliver(None, manifest)` is an object that was listed."""

    def __init__(self, loop: VirtualLoop, server: ApiServer, random: Random, deliver: Deliver) -> None:
        self._loop, self._server, self._random, self._deliver = loop, server, random, deliver
        self._front: dict[ObjectKey | str, float] = {}
        """Stream or object -> when its newest news arrives."""
        self._held_until = self._deaf_until = self._double_until = self._disorder_until = 0.0
        server.listeners.append(self._hear)

    def close(self) -> None:
        self._server.listeners.remove(self._hear)

    def list_anew(self) -> None:
        """What a watch does at its start and after a break: it yields what is there, and no word of what vanished."""
        for kind in WATCHED_KINDS:
            for manifest in self._server.all(kind):
                self._send(None, manifest)

    def lag(self, seconds: float) -> None:
        self._held_until = self._loop.time() + seconds

    def go_deaf(self, seconds: float) -> None:
        """Events are lost, and nothing tells so."""
        self._deaf_until = self._loop.time() + seconds

    def double(self, seconds: float) -> None:
        self._double_until = self._loop.time() + seconds

    def disorder(self, seconds: float) -> None:
        self._disorder_until = self._loop.time() + seconds

    @property
    def is_deaf(self) -> bool:
        return self._loop.time() < self._deaf_until

    def _hear(self, event: str, manifest: Manifest) -> None:
        if manifest["kind"] not in WATCHED_KINDS or self.is_deaf:
            return
        self._send(event, manifest)
        if self._loop.time() < self._double_until:
            self._send(event, manifest)

    def _send(self, event: str | None, manifest: Manifest) -> None:
        now, key = self._loop.time(), key_of(manifest)
        arrival = max(now, self._held_until) + self._random.uniform(*_LATENCY)
        if now < self._disorder_until:
            arrival += self._random.uniform(0, _DISORDER_SECONDS)
            arrival = max(arrival, self._front.get(key, 0.0) + _APART)
        else:
            arrival = max(arrival, self._front.get(key.kind, 0.0) + _APART, self._front.get(key, 0.0) + _APART)
            self._front[key.kind] = arrival
        self._front[key] = arrival
        self._loop.call_at(arrival, self._deliver, event, manifest)
