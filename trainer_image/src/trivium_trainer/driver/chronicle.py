"""What rank 0 does for all: it counts the time, writes the report's data and sends the reports."""

import time
from typing import Any

from trivium_trainer.checkpoint.inventory import read_skips
from trivium_trainer.config import RunConfig
from trivium_trainer.driver.attempt_clock import AttemptClock
from trivium_trainer.driver.client import ProgressClient
from trivium_trainer.driver.environment import describe_environment
from trivium_trainer.driver.ledger import Attempt
from trivium_trainer.driver.report_file import ReportFile
from trivium_trainer.driver.reporter import Reporter
from trivium_trainer.driver.state import RunState
from trivium_trainer.layout import StageDirectory
from trivium_trainer.progress import Doing
from trivium_trainer.report_data import CheckpointLine, Line, RunLine

SECRET_PATHS = frozenset({"credentialFile", "tokenFile", "caFile"})


class Chronicle:
    """One start's. Close it, whatever happened."""

    def __init__(self, config: RunConfig, attempt: Attempt, state: RunState) -> None:
        """`state`: as it is at the start: the step is that of the checkpoint that the start goes on from."""
        now = state.report(0)
        self._state = state
        self._step = now.step
        self._clock = AttemptClock(attempt, resumed_from=now.step)
        self._file = ReportFile(attempt.stage.report_data, total_steps=now.total_steps)
        self._file.write(build_run_line(config, attempt.stage, world_size=now.world_size, resumed_from_step=now.step))
        attempt.taken_over.touch()
        self._reporter = Reporter(
            ProgressClient(config.progress),
            state,
            attempt,
            block=1 + now.restarts,
            interval_seconds=config.progress.interval_seconds,
            keep=self._clock.save,
        )

    @property
    def stop_requested(self) -> bool:
        return self._reporter.stop_requested

    def beat(self, doing: Doing) -> None:
        times = self._clock.beat(doing, step=self._step)
        self._state.merge(activity="start" if doing == "restore" else doing, **times)

    def progress(self, **fields: Any) -> None:
        self._step = fields.get("step", self._step)
        self._state.merge(**fields)

    def write(self, line: Line) -> None:
        self._file.write(line)
        if isinstance(line, CheckpointLine):
            # What was spent until here is spent for good; a killed start leaves at least this account.
            self._file.write(self._clock.line())

    def close(self) -> None:
        """Count up to now, leave the newest state on the disk."""
        self._state.merge(**self._clock.beat("finish", step=self._step))
        self._file.write(self._clock.line())
        self._reporter.close()
        self._file.close()


def build_run_line(config: RunConfig, stage: StageDirectory, *, world_size: int, resumed_from_step: int) -> RunLine:
    """What opens each start's part of the report's data."""
    raw_config = config.model_dump(mode="json", by_alias=True, exclude_none=True)
    return RunLine(
        at=time.time(),
        job=raw_config["job"],
        stage=config.stage,
        recipe=config.recipe,
        config=_without_secret_paths(raw_config),
        world_size=world_size,
        resumed_from_step=resumed_from_step,
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
