"""Stage `prepare` in the driver: the data side's work, with the session of a single rank."""

import logging
import time
from collections.abc import Callable
from contextlib import nullcontext

from trivium_trainer.config import RunConfig
from trivium_trainer.driver.classify import classify
from trivium_trainer.driver.cluster import ray_cluster
from trivium_trainer.driver.ledger import Attempt
from trivium_trainer.driver.rank_session import RankSession
from trivium_trainer.driver.stage_result import StageFailedError, StageResult
from trivium_trainer.driver.watchdog import OnHang
from trivium_trainer.failure import FailureClass, StopRequested
from trivium_trainer.progress import Inspection
from trivium_trainer.report_data import InspectionLine
from trivium_trainer.session import Session

PrepareFunction = Callable[[RunConfig, Session], Inspection]

log = logging.getLogger(__name__)


def prepare_stage(
    config: RunConfig, attempt: Attempt, *, prepare: PrepareFunction | None, on_hang: OnHang
) -> StageResult:
    """Prepare the job's data; what was learned goes into the final report and the report's data.

    Raises StageFailedError with the failure that ended it. Ray is started only where there is work for several
    processes: its start costs more than a small data set.
    """
    session = RankSession(config, attempt, on_hang=on_hang)
    try:
        with ray_cluster() if config.data.prepare_workers > 1 else nullcontext():
            inspection = _resolve(prepare)(config, session)
    except StopRequested as stop:
        return StageResult(outcome="stopped", step=stop.step)
    except Exception as error:
        failure = classify(error)
        if failure.failure_class is FailureClass.INTERNAL:
            log.exception("prepare failed")
        raise StageFailedError(failure.to_failure(rank=0)) from error
    else:
        session.progress(inspection=inspection)
        session.write(InspectionLine(at=time.time(), inspection=inspection.model_dump(mode="json", by_alias=True)))
        return StageResult(outcome="complete", step=0)
    finally:
        session.close()


def _resolve(prepare: PrepareFunction | None) -> PrepareFunction:
    if prepare is not None:
        return prepare
    from trivium_trainer.prepare.run import run_prepare  # noqa: PLC0415  imports transformers

    return run_prepare
