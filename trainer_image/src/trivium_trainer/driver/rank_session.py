"""The Session that a recipe gets: pulse and news of one rank."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from trivium_trainer.checkpoint.inventory import list_standing
from trivium_trainer.config import RunConfig
from trivium_trainer.driver.chronicle import Chronicle
from trivium_trainer.driver.ledger import Attempt
from trivium_trainer.driver.state import RunState
from trivium_trainer.driver.watchdog import OnHang, Watchdog, end_hung_process
from trivium_trainer.progress import Doing
from trivium_trainer.report_data import Line

log = logging.getLogger(__name__)


class RankSession:
    """One rank of one start. Rank 0 reports and writes; every rank has a watchdog. Close it, whatever happened."""

    def __init__(
        self,
        config: RunConfig,
        attempt: Attempt,
        *,
        rank: int = 0,
        world_size: int = 1,
        local_rank: int = 0,
        on_hang: OnHang | None = None,
        look_for_drain: Callable[[], Any | None] = lambda: None,
    ) -> None:
        """`on_hang` is called with (activity, silent seconds) in the watchdog's thread and must end the process.

        `look_for_drain`: the newest news of a node that will be taken away, asked at every step.
        """
        self.rank = rank
        self.world_size = world_size
        self.local_rank = local_rank
        self.start = attempt.start_number()
        self.state = begin_state(config, attempt, world_size=world_size)
        self._look_for_drain = look_for_drain
        self._heeded: Any | None = None
        self._chronicle = Chronicle(config, attempt, self.state) if rank == 0 else None
        default = partial(end_hung_process, attempt, self.start, rank)
        self._watchdog = Watchdog(config.recovery.hang_timeout_seconds, on_hang or default)

    def beat(self, activity: Doing) -> None:
        self._watchdog.beat(activity)
        if self._chronicle is not None:
            self._chronicle.beat(activity)

    def progress(self, **fields: Any) -> None:
        if self._chronicle is not None:
            self._chronicle.progress(**fields)

    def write(self, line: Line) -> None:
        if self._chronicle is not None:
            self._chronicle.write(line)

    def stop_requested(self) -> bool:
        return self._chronicle is not None and self._chronicle.stop_requested

    def save_requested(self) -> bool:
        news = self._look_for_drain() if self.rank == 0 else None
        if news is None or news == self._heeded:
            return False
        log.warning("a node of this run will be taken away: saving a checkpoint")
        self._heeded = news
        return True

    def close(self) -> None:
        self._watchdog.close()
        if self._chronicle is not None:
            self._chronicle.close()


def begin_state(config: RunConfig, attempt: Attempt, *, world_size: int) -> RunState:
    """What a start knows before its first step: where the checkpoint stands that it will go on from."""
    standing = list_standing(attempt.stage.checkpoints, config.skips)
    return RunState(
        job_uid=config.job.uid,
        stage=config.stage,
        step=standing[-1].step if standing else 0,
        total_steps=0 if config.optimization is None else config.optimization.total_steps,
        tokens=standing[-1].tokens if standing else 0,
        restarts=attempt.restarts(),
        preemptions=attempt.preemptions(),
        earlier_restarts=attempt.earlier_restarts(),
        world_size=world_size,
        checkpoints=[marker.step for marker in standing],
    )
