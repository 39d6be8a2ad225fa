"""Who observes the engine hears of every pass, how long its job waited, what it changed, and what kept it from that."""

from datetime import UTC, datetime, timedelta

from trivium.controller import Controller
from trivium.ports import ObjectKey, TransientError
from trivium.reconcile import Settings
from trivium.store import Store
from trivium.work_queue import WorkQueue

START = datetime(2026, 1, 1, tzinfo=UTC)
KEY = ObjectKey(kind="SFTJob", namespace="team", name="a")
JOB = {
    "apiVersion": "trivium.dev/v1alpha1",
    "kind": "SFTJob",
    "metadata": {"name": "a", "namespace": "team", "uid": "u", "resourceVersion": "1"},
    "spec": {"model": {"from": {"hub": {"repo": "r"}}}, "data": {"train": [{"from": {"hub": {"repo": "d"}}}]}},
}


class Clock:
    def __init__(self):
        self.time = START

    def now(self):
        return self.time

    async def wait(self, event, *, until):
        raise AssertionError("nothing here waits")


class Cluster:
    """A status write takes two seconds; it fails while `error` is set."""

    def __init__(self, clock):
        self.clock = clock
        self.error = None

    async def replace_status(self, manifest):
        self.clock.time += timedelta(seconds=2)
        if self.error is not None:
            raise self.error
        return {**manifest, "metadata": {**manifest["metadata"], "resourceVersion": "2"}}

    async def emit(self, event):
        """Events are of no interest here."""


class Notes:
    def __init__(self):
        self.begun, self.ended, self.changes = [], [], []

    def on_pass_begin(self, key, *, waited):
        self.begun.append((key, waited.total_seconds()))

    def on_pass_end(self, key, *, took, error):
        self.ended.append((key, took.total_seconds(), error))

    def on_status(self, key, *, old, new):
        self.changes.append((key, old.phase, new.phase, old == new))


def engine():
    clock, notes = Clock(), Notes()
    cluster = Cluster(clock)
    controller = Controller(Store(), cluster, Settings(listening_since=START), clock, observer=notes)
    return controller, cluster, clock, notes


async def one_pass(controller):
    key = controller.pop()
    assert key == KEY
    await controller.one_pass(key)


async def test_a_pass_that_records_is_told_with_its_times_and_its_change():
    controller, _, clock, notes = engine()
    controller.on_event("ADDED", JOB)
    clock.time += timedelta(seconds=3)
    await one_pass(controller)
    assert notes.begun == [(KEY, 3.0)]
    assert notes.ended == [(KEY, 2.0, None)]
    assert [(key, same) for key, _, _, same in notes.changes] == [(KEY, False)]


async def test_a_pass_that_fails_is_told_with_its_error_and_changes_nothing():
    controller, cluster, _, notes = engine()
    cluster.error = TransientError("503")
    controller.on_event("ADDED", JOB)
    await one_pass(controller)
    assert notes.ended == [(KEY, 2.0, cluster.error)]
    assert notes.changes == []


async def test_a_bug_is_told_as_well():
    controller, cluster, _, notes = engine()
    cluster.error = ValueError("a bug")
    controller.on_event("ADDED", JOB)
    await one_pass(controller)
    assert notes.ended == [(KEY, 2.0, cluster.error)]


async def test_a_key_that_was_put_off_waits_from_its_time_and_a_repeated_one_from_its_first_asking():
    clock = Clock()
    queue = WorkQueue(clock)
    queue.add_after("later", timedelta(seconds=10))
    clock.time += timedelta(seconds=14)
    assert (queue.pop(), queue.waited("later")) == ("later", timedelta(seconds=4))
    queue.add("later")
    clock.time += timedelta(seconds=5)
    queue.add("later")
    queue.done("later")
    assert queue.waited("later") == timedelta(0)
    clock.time += timedelta(seconds=1)
    assert (queue.pop(), queue.waited("later")) == ("later", timedelta(seconds=6))
