"""The Session that a recipe gets: state, report and pulse of one rank."""

import logging
import time
from functools import partial
from typing import Any

from trivium_trainer.checkpoint.inventory import read_skips, standing_steps
from trivium_trainer.config import RunConfig
from trivium_trainer.driver.client import ProgressClient
from trivium_trainer.driver.environment import describe_environment
from trivium_trainer.driver.ledger import Attempt
from trivium_trainer.driver.report_file import ReportFile
from trivium_trainer.driver.reporter import Reporter
from trivium_trainer.driver.state import RunState
from trivium_trainer.driver.watchdog import OnHang, Watchdog, end_hung_process
from trivium_trainer.layout import StageDirectory
from trivium_trainer.progress import Activity
from trivium_trainer.report_data import Line, RunLine

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
    ) -> None:
        """`on_hang` is called with (activity, silent seconds) in the watchdog's thread and must end the process."""
        self.rank = rank
        self.world_size = world_size
        self.local_rank = local_rank
        self.start = attempt.start_number()
        total_steps = 0 if config.optimization is None else config.optimization.total_steps
        restarts = attempt.restarts()
        self.state = RunState(
            job_uid=config.job.uid,
            stage=config.stage,
            total_steps=total_steps,
            restarts=restarts,
            world_size=world_size,
            checkpoints=standing_steps(attempt.stage.checkpoints, config.skips),
        )
        self._reporter: Reporter | None = None
        self._report_file: ReportFile | None = None
        if rank == 0:
            self._report_file = ReportFile(attempt.stage.report_data, total_steps=total_steps)
            self._report_file.write(build_run_line(config, attempt.stage, world_size=world_size))
            attempt.taken_over.touch()
            interval = config.progress.interval_seconds
            self._reporter = Reporter(
                ProgressClient(config.progress), self.state, attempt, block=1 + restarts, interval_seconds=interval
            )
        default = partial(end_hung_process, attempt, self.start, rank)
        self._watchdog = Watchdog(config.recovery.hang_timeout_seconds, on_hang or default)

    def beat(self, activity: Activity) -> None:
        self._watchdog.beat(activity)
        if self.rank == 0:
            self.state.merge(activity=activity)

    def progress(self, **fields: Any) -> None:
        if self.rank == 0:
            self.state.merge(**fields)

    def write(self, line: Line) -> None:
        if self._report_file is not None:
            self._report_file.write(line)

    def stop_requested(self) -> bool:
        return self._reporter is not None and self._reporter.stop_requested

    def close(self) -> None:
        self._watchdog.close()
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
