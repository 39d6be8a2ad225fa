"""A process that was frozen, or whose clock was set, holds no silence of that time against a trainer."""

from datetime import UTC, datetime, timedelta

import pytest

from trivium.controller import Controller
from trivium.reconcile import Settings
from trivium.store import Store

T0 = datetime(2026, 1, 1, tzinfo=UTC)
JOB = {
    "apiVersion": "trivium.dev/v1alpha1",
    "kind": "SFTJob",
    "metadata": {"name": "a", "namespace": "team", "uid": "u", "resourceVersion": "1"},
    "spec": {},
}


class StandingClock:
    time = T0

    def now(self):
        return self.time

    async def wait(self, event, *, until):
        raise AssertionError("nobody waits here")


@pytest.mark.parametrize(
    ("seconds", "want"), [(0, 0), (59, 0), (60, 60), (3600, 3600), (-59, 0), (-60, -60), (-3600, -3600)]
)
def test_silence_counts_anew_after_an_absence_and_every_job_is_looked_at(seconds, want):
    clock, store = StandingClock(), Store()
    controller = Controller(store, None, Settings(listening_since=T0), clock)
    controller.on_event(None, JOB)
    controller.beat()
    key = controller.pop()
    assert key is not None
    controller._queue.done(key)
    clock.time = T0 + timedelta(seconds=seconds)
    controller.beat()
    assert controller._settings.listening_since == T0 + timedelta(seconds=want)
    assert controller.pop() == (key if want else None)


def test_the_first_beat_is_no_absence():
    clock = StandingClock()
    clock.time = T0 + timedelta(days=1)
    controller = Controller(Store(), None, Settings(listening_since=T0), clock)
    controller.beat()
    assert controller._settings.listening_since == T0
