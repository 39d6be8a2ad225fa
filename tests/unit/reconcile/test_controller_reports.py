"""The controller's intake of reports, and its life from `run` to `stop`, over a cluster of two dictionaries."""

import asyncio
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import pytest

from trivium.controller import Controller, Reporter, ReportError, SystemClock
from trivium.ports import TransientError
from trivium.reconcile import Settings
from trivium.store import Store, key_of

T0 = datetime(2026, 1, 1, tzinfo=UTC)


class ManualClock:
    def __init__(self):
        self.time = T0

    def now(self):
        return self.time

    async def wait(self, event, *, until):
        await asyncio.sleep(0)
        if not event.is_set() and until is not None:
            self.time = max(self.time, until)


class QuietCluster:
    """Lists what it holds, takes status writes, and creates nothing worth mentioning."""

    def __init__(self):
        self.objects = []
        self.broken = False

    async def list_all(self, kind):
        if self.broken:
            raise TransientError("no route to host")
        return [m for m in self.objects if m["kind"] == kind]

    async def get(self, key):
        return next((m for m in self.objects if key_of(m) == key), None)

    async def create(self, manifest):
        return manifest

    async def apply(self, manifest):
        return manifest

    async def replace_status(self, manifest):
        version = str(int(manifest["metadata"]["resourceVersion"]) + 1)
        return {**manifest, "metadata": {**manifest["metadata"], "resourceVersion": version}}

    async def emit(self, event):
        """Events are of no interest here."""


def job(**attempt):
    started = {"number": 1, "stage": "train", "rayJob": "a-train-1", "startedAt": "2026-01-01T00:00:00Z"}
    plan = {"profile": "cpu", "image": "i"}
    return {
        "apiVersion": "trivium.dev/v1alpha1",
        "kind": "SFTJob",
        "metadata": {"name": "a", "namespace": "team", "uid": "uid-a", "resourceVersion": "1", "generation": 1},
        "spec": {
            "model": {"from": {"hub": {"repo": "r"}}},
            "data": {"train": [{"from": {"hub": {"repo": "d"}}}]},
            "recovery": {"maxRestarts": 4},
        },
        "status": {
            "attempts": [{**started, **attempt}],
            "restartBudget": {"spent": 1},
            "stages": [{"name": "prepare", "state": "Succeeded", "plan": plan}, {"name": "train", "plan": plan}],
        },
    }


def report(**fields):
    base = {"apiVersion": "progress.trivium.dev/v1alpha1", "jobUid": "uid-a", "stage": "train", "sequence": 1}
    return {**base, **fields}


async def until(is_true):
    """Give the loop turns until something holds; no time passes."""
    for _ in range(1000):
        if is_true():
            return
        await asyncio.sleep(0)
    raise AssertionError("never")


ME = Reporter(job_uid="uid-a", ray_cluster="a-train-1-x")


@pytest.fixture
def controller():
    settings = Settings(listening_since=T0)
    controller = Controller(Store(), QuietCluster(), settings, ManualClock())
    controller.on_event("ADDED", job(rayCluster="a-train-1-x", runningAt="2026-01-01T00:00:00Z"))
    controller._queue.done(controller.pop())
    return controller


async def test_a_report_is_answered_with_the_attempt_and_what_is_left_of_the_budget(controller):
    answer = await controller.on_report(report(), ME)
    assert answer == {"attempt": 1, "remainingRestarts": 3, "command": None}


@pytest.mark.parametrize(
    ("raw", "reporter", "want"),
    [
        (report(step=-1), ME, HTTPStatus.BAD_REQUEST),
        ({}, ME, HTTPStatus.BAD_REQUEST),
        (report(jobUid="uid-b"), ME, HTTPStatus.FORBIDDEN),
        (report(jobUid="uid-b"), Reporter(job_uid="uid-b"), HTTPStatus.NOT_FOUND),
        (report(stage="prepare"), ME, HTTPStatus.CONFLICT),
        (report(), Reporter(job_uid="uid-a", ray_cluster="a-train-0-y"), HTTPStatus.CONFLICT),
        (report(), Reporter(job_uid="uid-a", ray_cluster="a-train-1-x", namespace="other"), HTTPStatus.FORBIDDEN),
    ],
)
async def test_a_report_that_is_not_this_attempts_is_refused(controller, raw, reporter, want):
    with pytest.raises(ReportError) as refused:
        await controller.on_report(raw, reporter)
    assert refused.value.status == want
    assert str(refused.value)


async def test_a_report_of_an_attempt_that_is_over_is_refused(controller):
    ended = job(endedAt="2026-01-01T00:01:00Z", outcome="Failed")
    controller.on_event("MODIFIED", {**ended, "metadata": {**ended["metadata"], "resourceVersion": "2"}})
    with pytest.raises(ReportError) as refused:
        await controller.on_report(report(), ME)
    assert refused.value.status == HTTPStatus.CONFLICT


async def test_a_late_report_of_the_ray_cluster_that_a_queue_took_is_not_its_successors(controller):
    was = job(rayCluster="a-train-1-x", endedAt="2026-01-01T00:01:00Z", outcome="Failed")
    first = was["status"]["attempts"][0]
    second = {"number": 2, "run": 1, "stage": "train", "rayJob": first["rayJob"], "startedAt": "2026-01-01T00:01:00Z"}
    was["status"]["attempts"].append(second)
    controller.on_event("MODIFIED", {**was, "metadata": {**was["metadata"], "resourceVersion": "2"}})
    with pytest.raises(ReportError) as refused:
        await controller.on_report(report(), ME)
    assert refused.value.status == HTTPStatus.CONFLICT
    assert (await controller.on_report(report(), Reporter(job_uid="uid-a", ray_cluster="a-train-1-z")))["attempt"] == 2


async def test_progress_alone_wakes_the_job_when_a_write_is_due_and_a_restart_wakes_it_now(controller):
    await controller.on_report(report(step=3), ME)
    first = controller.pop()
    assert first == key_of(job())
    await controller.one_pass(first)
    while (key := controller.pop()) is not None:
        await controller.one_pass(key)
    await controller.on_report(report(sequence=2, step=4, restarts=1), ME)
    assert controller.pop() == key_of(job())


async def test_a_final_report_that_cannot_be_recorded_is_to_be_repeated(controller):
    end = {"outcome": "failed", "stage": "train", "failure": {"class": "Hang", "reason": "Stuck"}}
    with pytest.raises(ReportError) as refused:
        await controller.on_report(report(end=end), ME)
    assert refused.value.status == HTTPStatus.SERVICE_UNAVAILABLE


async def test_a_list_that_fails_is_tried_again_and_stop_ends_the_run():
    cluster = QuietCluster()
    cluster.broken = True
    cluster.objects = [job()]
    clock = ManualClock()
    store = Store()
    controller = Controller(store, cluster, Settings(listening_since=T0), clock)
    running = asyncio.create_task(controller.run())
    await until(lambda: clock.now() >= T0 + timedelta(seconds=5))
    cluster.broken = False
    await until(lambda: store.job_keys() != ())
    await controller.stop()
    await running
    assert store.job_keys() == (key_of(job()),)


async def test_a_bug_in_one_jobs_pass_does_not_end_the_others(caplog):
    cluster = QuietCluster()
    controller = Controller(Store(), cluster, Settings(listening_since=T0), ManualClock())
    broken = {**job(), "status": {"attempts": "not a list"}}
    controller.on_event("ADDED", broken)
    key = controller.pop()
    await controller.one_pass(key)
    assert "the pass failed" in caplog.text
    assert controller.next_ready_at() == T0 + timedelta(milliseconds=200)


async def test_the_clock_of_this_machine_returns_at_the_event_or_in_time():
    clock, event = SystemClock(), asyncio.Event()
    await clock.wait(event, until=clock.now())
    assert not event.is_set()
    event.set()
    await clock.wait(event, until=None)
    assert clock.now().tzinfo is not None
