"""Plays a script to its end: faults when their phases come, then a kind world, then what must hold at rest."""

import asyncio
import logging
import zlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from simulator.faults import CATALOG, UNLAWFUL
from simulator.invariants import BugAlarm, Watcher
from simulator.loop import NothingLeftError, VirtualLoop
from simulator.script import Script, Strike
from simulator.trainer import Pace
from simulator.world import World
from trivium.ports import Manifest
from trivium.store import is_final

LOOK_SECONDS = 15.0
CONVERGENCE_SECONDS = 3 * 3600.0
"""After the last fault: time for every restart of the budget, the longest silence and the ten-minute list."""
_REST_SECONDS = 45.0
_loggers = [logging.getLogger(name) for name in ("trivium.controller", "trivium.leader")]


@dataclass(kw_only=True)
class Result:
    """What came of a history."""

    script: Script
    breaches: list[str]
    struck: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(phase, fault) -> times."""
    phases: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    """Simulated."""
    writes: int = 0
    statuses: list[Manifest] = field(default_factory=list)
    """Of the jobs that are still there, at the end."""
    fingerprint: int = 0
    """Of every change in the API server and its time: equal histories have equal ones."""

    @property
    def failed(self) -> bool:
        return bool(self.breaches)

    def __str__(self) -> str:
        return "\n".join([str(self.script), *(f"BREACH {breach}" for breach in self.breaches)])


class History:
    """One script in one world."""

    def __init__(self, script: Script, world: World) -> None:
        self.script, self.world = script, world
        self.result = Result(script=script, breaches=self.world.checks.breaches)
        self._loop = world.loop
        self._phases: dict[int, str] = {}
        self._entered: Counter[tuple[int, str]] = Counter()
        self._due = 0
        self._last_strike_at = 0.0
        self.world.server.listeners.append(self._hear)

    async def play(self) -> Result:
        """Until every job is over and nothing moves any more, or a check is breached."""
        world = self.world
        for number in range(len(self.script.jobs)):
            world.create_job(number)
            self._enter(number, "Pending")
        for replica in range(self.script.replicas):
            world.start_operator(replica)
        while not world.checks.breaches and not self._is_late():
            await asyncio.sleep(LOOK_SECONDS)
            if self._due or not self._is_quiet():
                continue
            if not self._resume_all():
                await self._rest()
                break
        self.result.seconds, self.result.writes = self._loop.time(), world.checks.writes
        left = (world.server.get(key) for key in world.jobs)
        self.result.statuses = [job.get("status") or {} for job in left if job is not None]
        return self.result

    def _is_late(self) -> bool:
        train_seconds = sum(job.steps for job in self.script.jobs) * self.world.pace.step
        late = self._loop.time() > self._last_strike_at + CONVERGENCE_SECONDS + 20 * train_seconds
        if late:
            stuck = [f"{key.name}: {self._say(key)}" for key in self.world.jobs]
            self.world.checks.breach("no end in sight. " + "; ".join(stuck))
        return late

    def _say(self, key) -> str:
        status = (self.world.server.get(key) or {}).get("status") or {}
        return f"{status.get('phase')}, {status.get('message')}"

    def _is_quiet(self) -> bool:
        """Every job is over, gone, suspended by its owner, or waits for what will not come."""
        server = self.world.server
        if any(server.all(kind) for kind in ("RayJob", "RayCluster", "Pod", "Workload")):
            return False
        return all(self._has_come_to_rest(server.get(key)) for key in self.world.jobs)

    def _has_come_to_rest(self, job: Manifest | None) -> bool:
        if job is None:
            return True
        status = job.get("status") or {}
        conditions = {c["type"]: (c["status"], c["reason"]) for c in status.get("conditions") or ()}
        over = ("Succeeded", "Failed")
        held = ("Suspended",) if (job["spec"].get("runPolicy") or {}).get("suspend") else ()
        if any(conditions.get(kind, ("",))[0] == "True" for kind in (*over, *held)):
            return True
        waits = conditions.get("UpstreamReady", ("", ""))
        hopeless = ("UpstreamFailed", "UpstreamNotFound")
        return waits[0] == "False" and waits[1] in (
            hopeless if not self._is_held() else (*hopeless, "UpstreamNotFinished")
        )

    def _is_held(self) -> bool:
        """Whether an owner keeps a job suspended that is not over, so that others may wait for it."""
        jobs = (self.world.server.get(key) for key in self.world.jobs)
        unfinished = (job for job in jobs if job is not None and not is_final(job))
        return any((job["spec"].get("runPolicy") or {}).get("suspend") for job in unfinished)

    def _resume_all(self) -> bool:
        """Owners want their jobs to run in the end. Returns whether one was still suspended."""
        resumed = False
        for key in self.world.jobs:
            job = self.world.server.get(key)
            if job is not None and (job["spec"].get("runPolicy") or {}).get("suspend"):
                phase = (job.get("status") or {}).get("phase")
                self.world.edit(key, runPolicy={"suspend": False})
                resumed = resumed or phase not in ("Succeeded", "Failed")
        return resumed

    def _has_settled(self) -> bool:
        """Whether somebody acts, has seen everything, and had time to do what his predecessor left undone."""
        holder = self.world.holder()
        if holder is None or holder.is_frozen or not holder.controller.has_listed():
            return False
        return self._loop.time() - holder.leading_since >= _REST_SECONDS

    async def _rest(self) -> None:
        """Nothing moves any more, and another look at everything writes nothing."""
        world = self.world
        await asyncio.sleep(_REST_SECONDS)
        while not self._has_settled():  # noqa: ASYNC110 the loop makes polling free
            await asyncio.sleep(LOOK_SECONDS)
        before = world.checks.writes
        await world.holder().look_at_all()
        await asyncio.sleep(_REST_SECONDS)
        if world.checks.writes != before:
            world.checks.breach(f"{world.checks.writes - before} writes after everything had come to rest")
        world.checks.at_rest()
        blows = self.script.bad_data or world.checks.watcher is not None  # a watcher may strike on its own
        if not blows and all((CATALOG | UNLAWFUL)[fault].harmless for _, fault in self.result.struck):
            world.checks.nobody_suffered()

    # Faults when their phases come

    def _hear(self, event: str, manifest: Manifest) -> None:
        line = f"{self._loop.time():.6f} {event} {manifest['kind']} {manifest['metadata']['name']}"
        self.result.fingerprint = zlib.crc32(line.encode(), self.result.fingerprint)
        if self.world.is_job(manifest) and event == "MODIFIED":
            number, phase = self.world.number_of(manifest), (manifest.get("status") or {}).get("phase")
            if phase is not None and self._phases.get(number) != phase:
                self._enter(number, phase)

    def _enter(self, number: int, phase: str) -> None:
        self._phases[number] = phase
        self._entered[number, phase] += 1
        self.result.phases[phase] += 1
        for strike in self.script.strikes:
            if (strike.job, strike.phase, strike.nth) == (number, phase, self._entered[number, phase]):
                self._due += 1
                self._loop.call_later(strike.after, self._strike, strike)

    def _strike(self, strike: Strike) -> None:
        self._due -= 1
        phase, fault = self._phases[strike.job], (CATALOG | UNLAWFUL)[strike.fault]
        if fault.apply(self.world, strike.job, strike.amount):
            self.result.struck[phase, strike.fault] += 1
        self._last_strike_at = self._loop.time() + strike.amount


def play(
    script: Script,
    *,
    pace: Pace | None = None,
    recovery: dict[str, Any] | None = None,
    watcher: Watcher | None = None,
) -> Result:
    """One history, from nothing to rest. The same script gives the same history."""
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)
    history = History(script, World(script, loop, pace=pace, recovery=recovery))
    history.world.checks.watcher = watcher
    alarm = BugAlarm(history.world.checks)
    for logger in _loggers:
        logger.addHandler(alarm)
        logger.propagate = False
    errors: list[str] = []
    loop.set_exception_handler(lambda _, context: errors.append(str(context.get("exception") or context["message"])))
    try:
        result = loop.run_until_complete(history.play())
    except NothingLeftError as error:
        history.world.checks.breach(str(error))
        result = history.result
    finally:
        for logger in _loggers:
            logger.removeHandler(alarm)
        _close(loop)
    result.breaches += [f"the simulation itself: {error}" for error in errors]
    return result


def _close(loop: VirtualLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    asyncio.set_event_loop(None)
    loop.close()
