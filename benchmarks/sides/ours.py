"""Our recipe as a rank runs it, with the rank's real session: reporter, report file and watchdog.

Ray is not there, so that every side is one process; comparison `start` measures with Ray.
"""

import os
from typing import Any

import torch

from benchmarks.sides.clock import StepClock, read_task
from trivium_trainer.config import RunConfig
from trivium_trainer.driver.ledger import Attempt, begin_attempt
from trivium_trainer.driver.rank_session import RankSession
from trivium_trainer.failure import StopRequested
from trivium_trainer.recipes import train_worker
from trivium_trainer.run_record import open_run_directory


class _TimedSession(RankSession):
    """Takes the time where a step is reported, and ends the run with the window: nothing is saved or published."""

    def __init__(self, config: RunConfig, attempt: Attempt, clock: StepClock) -> None:
        super().__init__(config, attempt)
        self._window = clock

    def progress(self, **fields: Any) -> None:
        super().progress(**fields)
        if "step" in fields:
            self._window.stepped(fields["loss"])
            if self._window.is_over:
                raise StopRequested(fields["step"])


def main() -> None:
    task = read_task()
    config = RunConfig.model_validate(task["config"])
    clock = StepClock(task)
    attempt = begin_attempt(open_run_directory(config).stage("train"), f"benchmark-{os.getpid()}")
    session = _TimedSession(config, attempt, clock)
    torch.distributed.init_process_group("gloo")
    try:
        train_worker(config, session)
    except StopRequested:
        clock.write_result()
    finally:
        session.close()
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
