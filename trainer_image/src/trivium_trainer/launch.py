"""One attempt of one stage, from its RunConfig to its end record. Called by `python -m trivium_trainer run`.

    open the run directory -> report the start -> work (prepare, or train under Ray Train) -> record the end

The work runs in a thread of its own, so that the main thread hears signals whatever Ray's C++ is waiting for.
"""

import logging
import threading
import time
import uuid
from dataclasses import dataclass

from trivium_trainer.checkpoint.inventory import standing_steps
from trivium_trainer.config import RunConfig
from trivium_trainer.driver import ending
from trivium_trainer.driver.classify import classify
from trivium_trainer.driver.client import ProgressClient
from trivium_trainer.driver.ledger import Attempt, begin_attempt
from trivium_trainer.driver.prepare_stage import PrepareFunction, prepare_stage
from trivium_trainer.driver.rank import TrainFunction
from trivium_trainer.driver.signals import Termination, terminated
from trivium_trainer.driver.stage_result import StageFailedError, StageResult
from trivium_trainer.driver.start_report import StartReporter
from trivium_trainer.driver.state import RunState
from trivium_trainer.driver.train_stage import train_stage
from trivium_trainer.driver.watchdog import name_hang
from trivium_trainer.failure import EndRecord, Failure, FailureClass, TrainingError
from trivium_trainer.layout import StageDirectory
from trivium_trainer.progress import Doing
from trivium_trainer.run_record import open_run_directory

FIRST_ANSWER_SECONDS = 1.0
"""What the start waits for the first answer; it may say that there is nothing to start."""
TERMINATED_SECONDS = 10.0
"""What the final report gets of a grace period that a checkpoint may have used up."""
POLL_SECONDS = 0.1
COLLATERAL = frozenset({FailureClass.INFRASTRUCTURE, FailureClass.INTERNAL, FailureClass.HANG})

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a stage does; None stands for the recipes and the data side, imported where they run."""

    train: TrainFunction | None = None
    prepare: PrepareFunction | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """What is left to say once the work is over."""

    record: EndRecord
    restarts: int = 0
    preemptions: int = 0
    stage: StageDirectory | None = None
    """None where the run directory was refused: nothing is written into another job's."""
    is_replay: bool = False


def launch(config: RunConfig, termination: Termination, work: Work) -> EndRecord:
    """Run one attempt to its end record, which is on the disk and reported when this returns. Never raises."""
    end = _attempt(config, termination, work)
    if end.stage is not None and not end.is_replay:
        ending.write_end_record(config, end.stage, end.record)
    report = ending.build_final_report(
        ending.newest_report(config, end.stage), end.record, restarts=end.restarts, preemptions=end.preemptions
    )
    patience_seconds = TERMINATED_SECONDS if termination.asked.is_set() else ending.ACKNOWLEDGE_SECONDS
    ending.deliver(
        ProgressClient(config.progress), report, wait=termination.insisted.wait, patience_seconds=patience_seconds
    )
    return end.record


def _attempt(config: RunConfig, termination: Termination, work: Work) -> End:
    try:
        stage = open_run_directory(config).stage(config.stage)
    except TrainingError as error:
        log.error("%s", error)  # noqa: TRY400  a refusal with its remedy; the traceback says nothing more
        return End(record=EndRecord(outcome="failed", stage=config.stage, failure=error.to_failure()))
    before = ending.read_end_record(stage)
    if before is not None and before.outcome == "complete":
        log.info("stage %s is complete since an earlier attempt", config.stage)
        return End(record=before, stage=stage, is_replay=True)
    log.info(
        "stage %s of %s %s/%s: run directory %s",
        config.stage,
        config.job.kind,
        config.job.namespace,
        config.job.name,
        stage.root.parent,
    )
    attempt = begin_attempt(stage, f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{uuid.uuid4().hex[:6]}")
    termination.on_ask(attempt.stop.touch)
    outcome = _start_and_wait(config, attempt, termination, work)
    record = build_end_record(config, stage, outcome, is_terminated=termination.asked.is_set())
    record = ending.with_restarts(record, attempt)
    return End(record=record, stage=stage, restarts=record.restarts, preemptions=record.preemptions)


class _Outcome:
    """Settled once: by the work's thread, or by whoever finds that the work will never end."""

    def __init__(self) -> None:
        self.value: StageResult | Failure = terminated()
        self.settled = threading.Event()

    def settle(self, value: StageResult | Failure) -> None:
        if not self.settled.is_set():
            self.value = value
            self.settled.set()


def _start_and_wait(config: RunConfig, attempt: Attempt, termination: Termination, work: Work) -> StageResult | Failure:
    state = RunState(
        job_uid=config.job.uid,
        stage=config.stage,
        checkpoints=_checkpoints(config, attempt),
        earlier_restarts=attempt.earlier_restarts(),
    )
    reporter = StartReporter(
        ProgressClient(config.progress), state, attempt, interval_seconds=config.progress.interval_seconds
    )
    try:
        reporter.wait_for_answer(FIRST_ANSWER_SECONDS)
        if attempt.stop.exists():
            return StageResult(outcome="stopped", step=max(_checkpoints(config, attempt), default=0))
        outcome = _Outcome()
        threading.Thread(target=_work, args=(config, attempt, work, outcome), name="stage", daemon=True).start()
        return _wait(outcome, config, termination)
    finally:
        reporter.close()


def _checkpoints(config: RunConfig, attempt: Attempt) -> list[int]:
    return standing_steps(attempt.stage.checkpoints, config.skips)


def _wait(outcome: _Outcome, config: RunConfig, termination: Termination) -> StageResult | Failure:
    is_told = False
    while not outcome.settled.wait(POLL_SECONDS):
        if termination.asked.is_set() and not is_told:
            is_told = True
            log.warning("asked to go: saving a checkpoint and stopping; the same signal again ends at once")
            # Should the grace be too short for the save, the log's tail still says what this was.
            print(EndRecord(outcome="failed", stage=config.stage, failure=terminated()).to_log_line(), flush=True)
        if termination.insisted.is_set():
            return terminated()
    return outcome.value


def _work(config: RunConfig, attempt: Attempt, work: Work, outcome: _Outcome) -> None:
    """The body of the work's thread: always settles."""

    def on_hang(activity: Doing, silent_seconds: float) -> None:
        outcome.settle(name_hang(attempt, attempt.start_number(), 0, activity, silent_seconds))

    try:
        if config.stage == "prepare":
            outcome.settle(prepare_stage(config, attempt, prepare=work.prepare, on_hang=on_hang))
        else:
            outcome.settle(train_stage(config, attempt, train=work.train))
    except StageFailedError as error:
        log.error("stage %s failed: %s", config.stage, error.failure.message)  # noqa: TRY400  told where it arose
        outcome.settle(error.failure)
    except TrainingError as error:
        log.error("%s", error)  # noqa: TRY400  a refusal with its remedy
        outcome.settle(error.to_failure())
    except BaseException as error:
        log.exception("stage %s failed", config.stage)
        outcome.settle(classify(error).to_failure())


def build_end_record(
    config: RunConfig, stage: StageDirectory, outcome: StageResult | Failure, *, is_terminated: bool
) -> EndRecord:
    """The end record of an attempt. After a signal, what broke because processes were killed counts as preempted."""
    name = config.stage
    if isinstance(outcome, StageResult):
        if outcome.outcome == "complete":
            digest = ending.read_output_digest(stage)
            return EndRecord(outcome="complete", stage=name, step=outcome.step, output_digest=digest)
        failure = terminated() if is_terminated else None
        return EndRecord(outcome="stopped", stage=name, step=outcome.step, failure=failure)
    is_collateral = is_terminated and outcome.failure_class in COLLATERAL
    # Rank 0 writes its state at its own pace; a rank that diverged says itself how many steps were done before.
    step = max(ending.newest_report(config, stage).step, (outcome.step or 1) - 1)
    return EndRecord(outcome="failed", stage=name, step=step, failure=terminated() if is_collateral else outcome)
