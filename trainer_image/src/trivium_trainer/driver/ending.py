"""The end of an attempt, in the order that loses nothing: the disk, the operator, the log."""

import json
import logging
import time
from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from trivium_trainer.config import RunConfig
from trivium_trainer.driver.client import ProgressClient, ReportRefusedError
from trivium_trainer.driver.ledger import Attempt
from trivium_trainer.driver.report_file import ReportFile
from trivium_trainer.driver.reporter import SEQUENCE_BLOCK
from trivium_trainer.durable import read_json, write_json
from trivium_trainer.failure import EXIT_CODES, STOPPED_EXIT_CODE, EndRecord
from trivium_trainer.layout import StageDirectory
from trivium_trainer.progress import ProgressReport
from trivium_trainer.report_data import EndLine

ACKNOWLEDGE_SECONDS = 300.0
"""How long the final report is repeated. The record is on the disk and in the log as well, so this may end."""
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 15.0

log = logging.getLogger(__name__)

Wait = Callable[[float], bool]
"""Wait that many seconds; True if there is no more time."""


def read_end_record(stage: StageDirectory) -> EndRecord | None:
    """The record of an earlier attempt; None also where it is damaged: the stage runs again from its checkpoints."""
    try:
        raw = read_json(stage.end_record)
        return None if raw is None else EndRecord.model_validate(raw)
    except ValueError as error:
        log.warning("%s is ignored: %s", stage.end_record, error)
        return None


def with_restarts(record: EndRecord, attempt: Attempt) -> EndRecord:
    """The record with what the ledger says: the log's last line tells it also where no report arrives any more."""
    counts = {
        "restarts": attempt.restarts(),
        "preemptions": attempt.preemptions(),
        "earlier_restarts": attempt.earlier_restarts(),
    }
    return record.model_copy(update=counts)


def write_end_record(config: RunConfig, stage: StageDirectory, record: EndRecord) -> None:
    """On the disk first: a complete stage must not run again because a report was lost."""
    raw = record.model_dump(mode="json", by_alias=True, exclude_none=True)
    write_json(stage.end_record, raw)
    total_steps = 0 if config.optimization is None else config.optimization.total_steps
    file = ReportFile(stage.report_data, total_steps=total_steps)
    file.write(EndLine(at=time.time(), record=raw))
    file.close()


def newest_report(config: RunConfig, stage: StageDirectory | None) -> ProgressReport:
    """What rank 0 last knew, or a blank report."""
    blank = ProgressReport(job_uid=config.job.uid, stage=config.stage, sequence=0)
    if stage is None:
        return blank
    try:
        raw = read_json(stage.progress)
        return blank if raw is None else ProgressReport.model_validate({**raw, "jobUid": config.job.uid})
    except (OSError, ValidationError, ValueError) as error:
        log.warning("%s is ignored: %s", stage.progress, error)
        return blank


def build_final_report(
    newest: ProgressReport, record: EndRecord, *, restarts: int, preemptions: int = 0
) -> ProgressReport:
    """The last report of an attempt, numbered above every report of its ranks."""
    changes = {"end": record, "activity": "finish", "restarts": restarts, "preemptions": preemptions}
    above = {"sequence": (restarts + 2) * SEQUENCE_BLOCK, "step": max(newest.step, record.step)}
    return newest.model_copy(update={**changes, **above})


def deliver(client: ProgressClient, report: ProgressReport, *, wait: Wait, patience_seconds: float) -> bool:
    """Repeat the final report until it is acknowledged. Returns whether it was."""
    if not client.enabled:
        return False
    deadline = time.monotonic() + patience_seconds
    pause = FIRST_PAUSE_SECONDS
    while True:
        try:
            client.post(report)
        except ReportRefusedError as error:
            log.warning("final report not acknowledged: %s", error)
        else:
            return True
        if time.monotonic() + pause > deadline or wait(pause):
            log.warning("the final report was never acknowledged; the record is in the run directory and below")
            return False
        pause = min(LONGEST_PAUSE_SECONDS, pause * 2)
        report = report.model_copy(update={"sequence": report.sequence + 1})


def exit_code(record: EndRecord) -> int:
    """0 only for a complete stage."""
    if record.outcome == "complete":
        return 0
    return STOPPED_EXIT_CODE if record.failure is None else EXIT_CODES[record.failure.failure_class]


def read_output_digest(stage: StageDirectory) -> str | None:
    """The digest that the stage's output names itself by."""
    try:
        raw: dict[str, Any] | None = read_json(stage.output / "output.json")
    except (OSError, json.JSONDecodeError):
        return None
    digest = None if raw is None else raw.get("digest")
    return digest if isinstance(digest, str) else None
