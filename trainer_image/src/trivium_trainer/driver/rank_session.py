"""The Session that a recipe gets: state, report and pulse of one rank."""

import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from trivium_trainer.checkpoint.inventory import list_standing, read_skips, standing_steps
from trivium_trainer.config import RunConfig
from trivium_trainer.driver.attempt_clock import AttemptClock
from trivium_trainer.driver.client import ProgressClient
from trivium_trainer.driver.environment import describe_environment
from trivium_trainer.driver.ledger import Attempt
from trivium_trainer.driver.report_file import ReportFile
from trivium_trainer.driver.reporter import Reporter
from trivium_trainer.driver.state import RunState
from trivium_trainer.driver.watchdog import OnHang, Watchdog, end_hung_process
from trivium_trainer.layout import StageDirectory
from trivium_trainer.progress import Doing
from trivium_trainer.report_data import CheckpointLine, Line, RunLine

SECRET_PATHS = frozenset({"credentialFile", "tokenFile", "caFile"})

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
        total_steps = 0 if config.optimization is None else config.optimization.total_steps
        standing = list_standing(attempt.stage.checkpoints, config.skips)
        self._step = standing[-1].step if standing else 0
        self.state = RunState(
            job_uid=config.job.uid,
            stage=config.stage,
            step=self._step,
            total_steps=total_steps,
            tokens=standing[-1].tokens if standing else 0,
            restarts=attempt.restarts(),
            preemptions=attempt.preemptions(),
            world_size=world_size,
            checkpoints=[marker.step for marker in standing],
        )
        self._look_for_drain = look_for_drain
        self._heeded: Any | None = None
        self._reporter: Reporter | None = None
        self._report_file: ReportFile | None = None
        self._clock: AttemptClock | None = None
        if rank == 0:
            self._clock = AttemptClock(attempt, resumed_from=self._step)
            self._report_file = ReportFile(attempt.stage.report_data, total_steps=total_steps)
            self._report_file.write(build_run_line(config, attempt.stage, world_size=world_size))
            attempt.taken_over.touch()
            self._reporter = Reporter(
                ProgressClient(config.progress),
                self.state,
                attempt,
                block=1 + attempt.restarts(),
                interval_seconds=config.progress.interval_seconds,
                keep=self._clock.save,
            )
        default = partial(end_hung_process, attempt, self.start, rank)
        self._watchdog = Watchdog(config.recovery.hang_timeout_seconds, on_hang or default)

    def beat(self, activity: Doing) -> None:
        self._watchdog.beat(activity)
        if self._clock is not None:
            times = self._clock.beat(activity, step=self._step)
            self.state.merge(activity="start" if activity == "restore" else activity, **times)

    def progress(self, **fields: Any) -> None:
        if self.rank == 0:
            self._step = fields.get("step", self._step)
            self.state.merge(**fields)

    def write(self, line: Line) -> None:
        if self._report_file is None or self._clock is None:
            return
        self._report_file.write(line)
        if isinstance(line, CheckpointLine):
            self._report_file.write(self._clock.line())

    def stop_requested(self) -> bool:
        return self._reporter is not None and self._reporter.stop_requested

    def save_requested(self) -> bool:
        news = self._look_for_drain() if self.rank == 0 else None
        if news is None or news == self._heeded:
            return False
        log.warning("a node of this run will be taken away: saving a checkpoint")
        self._heeded = news
        return True

    def close(self) -> None:
        self._watchdog.close()
        if self._clock is not None and self._report_file is not None:
            self._clock.beat("finish", step=self._step)
            self._report_file.write(self._clock.line())
        if self._reporter is not None:
            self._reporter.close()
        if self._report_file is not None:
            self._report_file.close()


def build_run_line(config: RunConfig, stage: StageDirectory, *, world_size: int) -> RunLine:
    """What opens each start's part of the report's data."""
    raw_config = config.model_dump(mode="json", by_alias=True, exclude_none=True)
    return RunLine(
        at=time.time(),
        job=raw_config["job"],
        stage=config.stage,
        recipe=config.recipe,
        config=_without_secret_paths(raw_config),
        world_size=world_size,
        resumed_from_step=max(standing_steps(stage.checkpoints, config.skips), default=0),
        skips=list(read_skips(stage.checkpoints, config.skips)),
        environment=describe_environment(device=_device(config)),
        lineage=raw_config["lineage"],
    )


def _device(config: RunConfig) -> str:
    if config.parallelism is None or config.parallelism.gpus_per_worker == 0:
        return "cpu"
    import torch  # noqa: PLC0415  seconds of start-up that a CPU stage does not pay

    return str(torch.cuda.get_device_name())


def _without_secret_paths(value: Any) -> Any:
    match value:
        case dict():
            return {key: _without_secret_paths(item) for key, item in value.items() if key not in SECRET_PATHS}
        case list():
            return [_without_secret_paths(item) for item in value]
        case _:
            return value
