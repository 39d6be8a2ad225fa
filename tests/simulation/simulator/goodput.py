"""How much of the held time moves training forward when faults are frequent, against the best that any interval allows.

One long training; after each (re)start the next fault comes after an exponential time. What a restart costs is measured
in the same run, so the comparison judges the checkpoint interval and what the restart layers lose besides it.
"""

import asyncio
from dataclasses import dataclass
from math import expm1

from simulator.endings import Trouble
from simulator.history import play
from simulator.script import Job, Script
from simulator.trainer import Driver, Pace
from simulator.world import World
from trivium.planning.checkpoint_interval import best_interval

RATES = (30, 100, 1000)
"""Steps between two faults, on average."""
_PACE = Pace(step=4.0, save=2.0, restore=6.0, report=120.0)
# Each fault is paid for, and the budget is full again after a minute of progress, so the pauses stay short.
_RECOVERY = {"maxRestarts": 1000, "windowSeconds": 60, "hangTimeoutSeconds": 600}
_NEW_ATTEMPT_SHARE = 0.2  # of faults that cost the Ray cluster; the others are answered inside it


@dataclass(frozen=True, slots=True, kw_only=True)
class Goodput:
    """Shares of the time from the first step to the last. Units: seconds, steps."""

    steps_between_faults: int
    every: int
    faults: int
    restart_seconds: float
    measured: float
    best: float

    @property
    def ratio(self) -> float:
        """1 is the best that any interval could do."""
        return self.measured / self.best

    def __str__(self) -> str:
        return (
            f"one fault per {self.steps_between_faults} steps: a checkpoint every {self.every} steps, "
            f"{self.faults} faults of {self.restart_seconds:.1f} s; "
            f"goodput {self.measured:.4f}, best {self.best:.4f}, ratio {self.ratio:.3f}"
        )


def measure(steps_between_faults: int, *, steps: int, seed: int = 0) -> Goodput:
    """Train `steps` steps with faults at that rate, saving as often as the planner would."""
    mtbf = steps_between_faults * _PACE.step
    every = max(1, round(best_interval(save_seconds=_PACE.save, mtbf_seconds=mtbf) / _PACE.step))
    script = Script(seed=seed, jobs=(Job(steps=steps, every=every),))
    storm = _Storm(mtbf)
    result = play(script, pace=_PACE, recovery=_RECOVERY, watcher=storm)
    assert not result.failed, str(result)
    restart = sum(storm.restarts) / len(storm.restarts) if storm.restarts else 0.0
    return Goodput(
        steps_between_faults=steps_between_faults,
        every=every,
        faults=len(storm.restarts),
        restart_seconds=restart,
        measured=steps * _PACE.step / (storm.ended_at - storm.began_at),
        best=best_goodput(save=_PACE.save, mtbf=mtbf, restart=restart, step=_PACE.step),
    )


def best_goodput(*, save: float, mtbf: float, restart: float, step: float) -> float:
    """Of all intervals in whole steps.

    A segment of T seconds of steps and C of saving must pass without a fault: E = (MTBF + R) (exp((T + C) / MTBF) - 1)
    seconds for T of progress. Source: Daly, A higher order estimate of the optimum checkpoint interval, 2006, eq. 13.
    """
    intervals = (step * number for number in range(1, int(20 * mtbf / step) + 2))
    return max(
        interval / ((mtbf + restart) * expm1((interval + save) / mtbf))
        for interval in intervals
        if (interval + save) / mtbf < 50  # exp would overflow, and nobody would want it
    )


class _Storm:
    """Strikes the training attempt again and again; memoryless, so each start draws anew."""

    def __init__(self, mtbf: float) -> None:
        self._mtbf = mtbf
        self._timer: asyncio.TimerHandle | None = None
        self._struck_at: float | None = None
        self.restarts: list[float] = []
        self.began_at = self.ended_at = 0.0

    def on_resume(self, world: World, driver: Driver) -> None:
        now = world.loop.time()
        if not self.began_at:
            self.began_at = now
        if self._struck_at is not None:
            self.restarts.append(now - self._struck_at)
            self._struck_at = None
        self._timer = world.loop.call_later(world.random.expovariate(1 / self._mtbf), self._strike, world, driver)

    def on_trained(self, world: World, driver: Driver) -> None:
        del driver
        self.ended_at = world.loop.time()
        if self._timer is not None:
            self._timer.cancel()

    def _strike(self, world: World, driver: Driver) -> None:
        self._struck_at = world.loop.time()
        ends_attempt = world.random.random() < _NEW_ATTEMPT_SHARE
        driver.strike(Trouble("Infrastructure", "NodeLost", named=ends_attempt))
