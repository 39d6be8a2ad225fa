"""The Lease: who may write, decided from local time alone."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivium.leader import (
    Elector,
    FencedCluster,
    LeaseLostError,
    LeaseRecord,
    LeaseTiming,
    Sighting,
    may_take,
    sight,
    still_holds,
)
from trivium.ports import ConflictError, ObjectKey, TransientError

TIMING = LeaseTiming()
WALL = datetime(2026, 1, 1, tzinfo=UTC)


def record(holder: str, version: str = "1") -> LeaseRecord:
    return LeaseRecord(holder=holder, transitions=0, version=version)


class Leases:
    """One Lease on a server; `failure` befalls the next call, before or after it was done."""

    def __init__(self) -> None:
        self.lease = None
        self.version = 0
        self.failure = None
        self.done_before_failure = False

    async def get(self):
        self._fail()
        return self.lease

    async def create(self, lease):
        if self.lease is not None:
            raise ConflictError("exists")
        return self._put({**lease, "metadata": {}})

    async def update(self, lease):
        if self.failure is not None and not self.done_before_failure:
            self._fail()
        if lease["metadata"]["resourceVersion"] != self.lease["metadata"]["resourceVersion"]:
            raise ConflictError("changed")
        written = self._put(lease)
        self._fail()
        return written

    def _put(self, lease):
        self.version += 1
        self.lease = {**lease, "metadata": {"resourceVersion": str(self.version)}}
        return self.lease

    def _fail(self) -> None:
        if self.failure is not None:
            error, self.failure = self.failure, None
            raise error

    @property
    def holder(self) -> str:
        return self.lease["spec"]["holderIdentity"]


class Time:
    """Sleeping moves it; `skew` is how wrong this process's wall clock is."""

    def __init__(self, skew: timedelta = timedelta(0)) -> None:
        self.seconds = 0.0
        self.skew = skew
        self.at = {}

    def monotonic(self) -> float:
        return self.seconds

    def utc(self) -> datetime:
        return WALL + timedelta(seconds=self.seconds) + self.skew

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        for moment in sorted(self.at):
            if moment <= self.seconds:
                self.at.pop(moment)()
        await asyncio.sleep(0)


@pytest.fixture
def leases() -> Leases:
    return Leases()


@pytest.fixture
def time() -> Time:
    return Time()


def elector(leases: Leases, time: Time, me: str = "a") -> Elector:
    return Elector(leases=leases, time=time, me=me)


def released(leases: Leases) -> None:
    leases._put({"spec": {"holderIdentity": ""}})


def test_an_unchanged_record_keeps_the_time_at_which_it_was_first_seen():
    first = sight(None, record("b"), now=5.0)
    assert sight(first, record("b"), now=9.0) == Sighting(record=record("b"), since=5.0)
    assert sight(first, record("b", "2"), now=9.0).since == 9.0


@pytest.mark.parametrize(
    ("holder", "age", "want"),
    [("", 0.0, True), ("me", 0.0, True), ("other", 14.9, False), ("other", 15.0, True), (None, 14.9, False)],
)
def test_a_lease_is_taken_when_released_or_ours_or_old(holder, age, want):
    seen = Sighting(record=None if holder is None else record(holder), since=100.0)
    assert may_take(seen, me="me", now=100.0 + age, timing=TIMING) is want


@given(sent=st.floats(0, 100), seen_late=st.floats(0, 100), duration=st.floats(11, 50), now=st.floats(0, 400))
def test_no_two_may_write_at_once_however_late_a_renewal_is_seen(sent, seen_late, duration, now):
    """The holder counts from when it sent its renewal, the standby from when it saw it."""
    timing = LeaseTiming(duration=duration, renew_deadline=10.0, retry=2.0)
    seen = Sighting(record=record("holder"), since=sent + seen_late)
    assert not (may_take(seen, me="standby", now=now, timing=timing) and still_holds(sent, now=now, timing=timing))


def test_timings_that_could_let_two_write_are_refused():
    with pytest.raises(ValueError, match=r"not in rising order\. Use 2, 10 and 15"):
        LeaseTiming(duration=10.0, renew_deadline=10.0)


async def test_a_released_lease_is_taken_at_once(leases, time):
    released(leases)
    one = elector(leases, time)
    await one.acquire()
    assert (leases.holder, one.holds(), time.seconds) == ("a", True, 0.0)
    assert leases.lease["spec"]["leaseTransitions"] == 1
    assert leases.lease["spec"]["acquireTime"] == "2026-01-01T00:00:00.000000Z"


async def test_a_lease_that_is_not_there_is_waited_for_as_if_somebody_held_it(leases, time):
    """It may have been deleted under its holder."""
    await elector(leases, time).acquire()
    assert time.seconds >= TIMING.duration


async def test_a_lease_that_is_renewed_is_never_taken(leases, time):
    released(leases)
    holder, standby = elector(leases, time), elector(leases, time, "b")
    await holder.acquire()
    waiting = asyncio.ensure_future(standby.acquire())
    for _ in range(60):
        await time.sleep(1.0)
        await holder._renew()
    assert not waiting.done()
    assert not standby.holds()
    waiting.cancel()


async def test_clocks_an_hour_apart_change_nothing(leases):
    released(leases)
    ahead, behind = Time(timedelta(hours=1)), Time(timedelta(hours=-1))
    await elector(leases, ahead).acquire()
    standby = elector(leases, behind, "b")
    await standby.acquire()
    assert behind.seconds == pytest.approx(TIMING.duration, abs=TIMING.retry)


async def test_who_was_stopped_beyond_the_deadline_ends_without_another_write(leases, time):
    released(leases)
    one = elector(leases, time)
    await one.acquire()
    version = leases.version
    time.at[2.0] = lambda: setattr(time, "seconds", 60.0)
    await one.keep()
    assert (one.holds(), leases.version) == (False, version)


async def test_an_api_server_that_fails_for_less_than_the_deadline_costs_nothing(leases, time):
    released(leases)
    one = elector(leases, time)
    await one.acquire()
    leases.failure = TransientError("503")
    keeping = asyncio.ensure_future(one.keep())
    for _ in range(40):
        await asyncio.sleep(0)
    assert not keeping.done()
    keeping.cancel()


async def test_a_renewal_whose_answer_was_lost_is_found_to_be_ours(leases, time):
    released(leases)
    one = elector(leases, time)
    await one.acquire()
    leases.failure, leases.done_before_failure = TransientError("timed out"), True
    assert await one._renew() is False
    assert await one._look() is True
    assert leases.holder == "a"


async def test_who_sees_another_name_in_the_lease_stops(leases, time):
    released(leases)
    one = elector(leases, time)
    await one.acquire()
    leases._put({"spec": {"holderIdentity": "b"}})
    await one.keep()
    assert not one.holds()


async def test_a_clean_exit_lets_the_next_one_in_at_once(leases, time):
    released(leases)
    one, other = elector(leases, time), elector(leases, time, "b")
    await one.acquire()
    await one.release()
    assert not one.holds()
    await other.acquire()
    assert (leases.holder, time.seconds) == ("b", 0.0)


async def test_a_lease_that_is_anothers_is_not_released(leases, time):
    released(leases)
    one = elector(leases, time)
    await one.acquire()
    leases._put({"spec": {"holderIdentity": "b"}})
    await one.release()
    assert leases.holder == "b"


class Recorder:
    """A cluster that notes what reaches it."""

    def __init__(self) -> None:
        self.calls = []

    def __getattr__(self, name):
        async def call(*args, **kwargs):
            self.calls.append(name)

        return call


async def test_without_the_lease_reads_go_through_and_writes_do_not(leases, time):
    recorder, key = Recorder(), ObjectKey(kind="RayJob", namespace="team", name="a")
    fenced = FencedCluster(recorder, elector(leases, time))
    await fenced.get(key)
    await fenced.list_all("RayJob")
    for write in (fenced.create({}), fenced.apply({}), fenced.replace_status({}), fenced.delete(key, uid="u")):
        with pytest.raises(LeaseLostError):
            await write
    assert recorder.calls == ["get", "list_all"]


async def test_with_the_lease_every_write_goes_through(leases, time):
    released(leases)
    one, recorder = elector(leases, time), Recorder()
    await one.acquire()
    fenced, key = FencedCluster(recorder, one), ObjectKey(kind="RayJob", namespace="team", name="a")
    await fenced.create({})
    await fenced.apply({})
    await fenced.replace_status({})
    await fenced.delete(key, uid="u")
    assert recorder.calls == ["create", "apply", "replace_status", "delete"]
