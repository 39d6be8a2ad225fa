"""The rules of client-go's workqueue, each as a test; time only moves when a test moves it."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivium.work_queue import WorkQueue


class ManualClock:
    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)

    async def wait(self, event: asyncio.Event, *, until: datetime | None) -> None:
        if until is None:
            await event.wait()
        else:
            self.time = max(self.time, until)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def queue(clock: ManualClock) -> WorkQueue[str]:
    return WorkQueue(clock)


def test_keys_come_out_in_the_order_they_were_added(queue):
    for key in ("a", "b", "c"):
        queue.add(key)
    assert [queue.pop(), queue.pop(), queue.pop(), queue.pop()] == ["a", "b", "c", None]


def test_adding_twice_before_the_pass_is_adding_once(queue):
    queue.add("a")
    queue.add("a")
    assert (queue.pop(), queue.pop()) == ("a", None)


def test_a_key_is_never_handed_to_two_workers_at_once(queue):
    queue.add("a")
    assert queue.pop() == "a"
    queue.add("a")
    assert queue.pop() is None


def test_a_key_added_while_its_pass_runs_is_handed_out_again_when_that_pass_is_done(queue):
    queue.add("a")
    queue.pop()
    queue.add("a")
    queue.done("a")
    assert queue.pop() == "a"
    queue.done("a")
    assert queue.pop() is None


def test_a_delayed_key_comes_out_when_its_time_has_come_and_not_before(queue, clock):
    queue.add_after("a", timedelta(seconds=10))
    clock.advance(9)
    assert queue.pop() is None
    clock.advance(1)
    assert queue.pop() == "a"


@pytest.mark.parametrize("delays", [(10, 3), (3, 10)])
def test_of_several_delays_the_earliest_counts_and_the_key_comes_once(queue, clock, delays):
    for seconds in delays:
        queue.add_after("a", timedelta(seconds=seconds))
    assert queue.next_ready_at() == clock.now() + timedelta(seconds=3)
    clock.advance(3)
    assert queue.pop() == "a"
    queue.done("a")
    clock.advance(100)
    assert queue.pop() is None
    assert queue.next_ready_at() is None


def test_a_delay_of_zero_is_now(queue):
    queue.add_after("a", timedelta(0))
    assert queue.pop() == "a"


def test_errors_back_off_by_doubling_up_to_the_maximum_and_forget_starts_over(clock):
    queue: WorkQueue[str] = WorkQueue(clock, base_delay=timedelta(seconds=1), max_delay=timedelta(seconds=5))
    assert [queue.add_rate_limited("a").total_seconds() for _ in range(5)] == [1, 2, 4, 5, 5]
    queue.forget("a")
    assert queue.add_rate_limited("a").total_seconds() == 1


def test_back_off_is_per_key(clock):
    queue: WorkQueue[str] = WorkQueue(clock, base_delay=timedelta(seconds=1))
    queue.add_rate_limited("a")
    assert queue.add_rate_limited("b").total_seconds() == 1


async def test_get_waits_for_an_add(queue):
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    assert not waiting.done()
    queue.add("a")
    assert await waiting == "a"


async def test_get_waits_until_the_delayed_key_is_ready(queue, clock):
    start = clock.now()
    queue.add_after("a", timedelta(seconds=7))
    assert await queue.get() == "a"
    assert clock.now() == start + timedelta(seconds=7)


async def test_every_waiting_worker_gets_a_key(queue):
    waiting = [asyncio.create_task(queue.get()) for _ in range(3)]
    await asyncio.sleep(0)
    for key in ("a", "b", "c"):
        queue.add(key)
    assert sorted(await asyncio.gather(*waiting)) == ["a", "b", "c"]


@given(st.lists(st.tuples(st.sampled_from(["add", "after", "pop", "done", "advance"]), st.sampled_from("abc"))))
def test_no_key_is_lost_and_none_runs_twice_at_once(steps):
    clock = ManualClock()
    queue: WorkQueue[str] = WorkQueue(clock)
    owed_now: set[str] = set()
    owed_later: dict[str, datetime] = {}
    running: list[str] = []
    for step, key in steps:
        match step:
            case "add":
                queue.add(key)
                owed_now.add(key)
            case "after":
                queue.add_after(key, timedelta(seconds=1))
                owed_later.setdefault(key, clock.now() + timedelta(seconds=1))
            case "advance":
                clock.advance(0.7)
            case "pop" if (popped := queue.pop()) is not None:
                assert popped not in running
                running.append(popped)
                owed_now.discard(popped)
                if popped in owed_later and owed_later[popped] <= clock.now():
                    del owed_later[popped]
            case "done" if running:
                queue.done(running.pop(0))
    for key in running:
        queue.done(key)
    clock.advance(10)
    drained = []
    while (popped := queue.pop()) is not None:
        drained.append(popped)
        queue.done(popped)
    assert owed_now | set(owed_later) <= set(drained)
    assert len(drained) == len(set(drained))
