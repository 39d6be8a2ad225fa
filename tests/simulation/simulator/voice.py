"""The reports of one driver: at its pace while it lives, and the last one until somebody has heard it."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from trivium.controller import Reporter

if TYPE_CHECKING:
    from simulator.world import World

REPORT_PATIENCE_SECONDS = 5.0  # the trainer's client hangs up
SEQUENCE_BLOCK = 10**9
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS, _ACKNOWLEDGE_SECONDS = 0.5, 15.0, 300.0

Report = dict[str, Any]


class Voice:
    """`report` makes one with what is known now; `obey` is told each answer."""

    def __init__(
        self,
        world: "World",
        job_uid: str,
        ray_cluster: str,
        *,
        report: Callable[..., Report],
        obey: Callable[[dict[str, Any]], None],
    ) -> None:
        self._world, self._loop = world, world.loop
        self._reporter = Reporter(job_uid=job_uid, ray_cluster=ray_cluster)
        self._report, self._obey = report, obey
        self.mute = False

    async def speak(self) -> None:
        """Until it is cancelled."""
        pause = 0.0
        while True:
            await asyncio.sleep(pause)
            answer = None if self.mute else await self._post(self._report())
            pause = self._world.pace.report if answer is not None else 5.0
            if answer is not None:
                self._obey(answer)

    async def deliver(self, record: dict[str, Any], **said: Any) -> None:
        """The final report, until it is acknowledged."""
        deadline, pause = self._loop.time() + _ACKNOWLEDGE_SECONDS, _FIRST_PAUSE_SECONDS
        while not self.mute and self._loop.time() < deadline:
            report = self._report(end=record, activity="finish", **said)
            report["sequence"] += SEQUENCE_BLOCK
            if await self._post(report) is not None:
                return
            await asyncio.sleep(pause)
            pause = min(_LONGEST_PAUSE_SECONDS, 2 * pause)

    async def _post(self, report: Report) -> dict[str, Any] | None:
        """The answer; None if the report was refused or did not arrive."""
        holder = self._world.intake()
        if holder is None:
            return None
        asked = holder.hear_report(report, self._reporter)
        await asyncio.wait({asked}, timeout=REPORT_PATIENCE_SECONDS)
        if not asked.done() or asked.cancelled() or asked.exception() is not None:
            return None
        return asked.result()
