"""What runs in each Ray Train worker: one rank of one start, around the recipe's `train_worker`."""

import copy
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from trivium_trainer.config import RunConfig
from trivium_trainer.driver.classify import classify, ends_attempt
from trivium_trainer.driver.environment import set_defaults
from trivium_trainer.driver.ledger import Attempt
from trivium_trainer.driver.logs import configure_logging
from trivium_trainer.driver.node_drain import announced_drain
from trivium_trainer.driver.rank_session import RankSession
from trivium_trainer.driver.torch_group import join_process_group, leave_process_group
from trivium_trainer.failure import FailureClass, StopRequested, TrainingError
from trivium_trainer.session import Session

TrainFunction = Callable[[RunConfig, Session], None]

COLLECTIVE_TIMEOUT_FACTOR = 12
"""Collectives give up after the watchdog's longest patience (ten times the hang timeout), so that it names the hang."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RankTask:
    """What a worker is sent. `train` None stands for the recipes, which only the worker imports (torch)."""

    config: RunConfig
    attempt: Attempt
    train: TrainFunction | None = None


def run_rank(parameters: dict[str, Any]) -> dict[str, Any]:
    """Ray Train's train_loop_per_worker; `parameters["task"]` is a RankTask.

    Returns {"outcome": "complete" | "stopped", "step": int}. Raises TrainingError for everything else; where the
    failure ends the attempt it is on the disk before.
    """
    import ray.train  # noqa: PLC0415  the prepare stage uses this package without Ray Train

    task: RankTask = parameters["task"]
    context = ray.train.get_context()
    rank = context.get_world_rank()
    set_defaults()
    configure_logging(f"rank {rank}")
    _require_shared_storage(task.attempt, rank)
    start = task.attempt.start_number()
    try:
        return _run_in_session(task, context, rank)
    except BaseException as error:
        failure = classify(error)
        is_bug = failure.failure_class is FailureClass.INTERNAL
        log.log(logging.ERROR, "%s", failure, exc_info=error if is_bug else None)
        if ends_attempt(failure):
            task.attempt.write_failure(start, failure.to_failure(rank=rank))
        # A copy without the chain: the cause may hold what cannot be pickled, and its traceback is in the log.
        raise copy.copy(failure) from None


def _run_in_session(task: RankTask, context: Any, rank: int) -> dict[str, Any]:
    config = task.config
    assert config.parallelism is not None, "stage train has parallelism: RunConfig checks it"
    ranks = {
        "rank": rank,
        "world_size": context.get_world_size(),
        "local_rank": context.get_local_rank(),
    }
    session = RankSession(config, task.attempt, **ranks, look_for_drain=announced_drain)
    log.info("start %d: rank %d of %d is up", session.start, rank, session.world_size)
    began = time.monotonic()
    try:
        join_process_group(
            **ranks,
            local_world_size=context.get_local_world_size(),
            gpu=config.parallelism.gpus_per_worker > 0,
            timeout_seconds=config.recovery.hang_timeout_seconds * COLLECTIVE_TIMEOUT_FACTOR,
        )
        log.info("joined the process group in %.1f s", time.monotonic() - began)
        outcome = _train(task, session)
        leave_process_group()
        return {"outcome": outcome, "step": session.state.report(0).step}
    finally:
        session.close()


def _train(task: RankTask, session: Session) -> str:
    try:
        _resolve(task.train)(task.config, session)
    except StopRequested as stop:
        session.progress(step=stop.step)
        log.info("%s", stop)
        return "stopped"
    return "complete"


def _resolve(train: TrainFunction | None) -> TrainFunction:
    if train is not None:
        return train
    from trivium_trainer.recipes import train_worker  # noqa: PLC0415  imports torch, transformers, deepspeed

    return train_worker


def _require_shared_storage(attempt: Attempt, rank: int) -> None:
    try:
        seen = attempt.probe.read_text() == attempt.name
    except OSError:
        seen = False
    if not seen:
        raise TrainingError(
            FailureClass.USER_ERROR,
            "StorageNotShared",
            f"storage.runs: rank {rank} does not see what the driver wrote to {attempt.folder}.",
            remedy="Several pods need one file system: use a ReadWriteMany claim.",
        )
