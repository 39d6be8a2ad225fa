"""Whose a run directory is. Every attempt opens it here first, before it writes anything else.

`record.json` holds the uid and the digest of the immutable spec. A directory whose record differs belongs to another
job: training into it would mix two models, so it is refused.
"""

from typing import Any

from trivium_trainer.config import RunConfig
from trivium_trainer.durable import create_json, read_json, write_json
from trivium_trainer.failure import FailureClass, TrainingError
from trivium_trainer.layout import RunDirectory, run_directory


def open_run_directory(config: RunConfig) -> RunDirectory:
    """Create, reopen or adopt the run directory of this job.

    Raises TrainingError (UserError) where it belongs to another job, or where the run to continue is not there.
    """
    directory = run_directory(config)
    try:
        if config.continue_from is not None:
            return _adopt(config, directory)
        create_json(directory.record, {"uid": config.job.uid, "specDigest": config.job.spec_digest, "adoptedBy": []})
        _require_same_job(config, _read(directory), directory)
    except OSError as error:
        raise TrainingError(
            FailureClass.INFRASTRUCTURE,
            "RunsClaimUnusable",
            f"storage.runs: the run directory {directory.root} cannot be opened: {error.strerror or error}.",
            remedy="Check that the claim is bound, writable for the pod's user and not full.",
        ) from error
    return directory


def _adopt(config: RunConfig, directory: RunDirectory) -> RunDirectory:
    if not directory.record.exists():
        raise TrainingError(
            FailureClass.USER_ERROR,
            "NothingToContinue",
            f"storage.continueFrom: {config.continue_from} has no run directory at {directory.root}.",
            remedy="Name the uid of an earlier job of the same kind and name on this claim, or remove the field.",
        )
    record = _read(directory)
    _require_same_job(config, record, directory)
    if config.job.uid not in record["adoptedBy"]:
        write_json(directory.record, {**record, "adoptedBy": [*record["adoptedBy"], config.job.uid]})
    return directory


def _read(directory: RunDirectory) -> dict[str, Any]:
    try:
        record = read_json(directory.record)
    except ValueError as error:
        raise _refusal(directory, f"its record cannot be read ({error})") from error
    if record is None:
        raise _refusal(directory, "its record vanished while it was opened")
    return {"uid": record.get("uid"), "specDigest": record.get("specDigest"), "adoptedBy": record.get("adoptedBy", [])}


def _require_same_job(config: RunConfig, record: dict[str, Any], directory: RunDirectory) -> None:
    want_uid = config.continue_from or config.job.uid
    if record["uid"] != want_uid:
        raise _refusal(directory, f"its record names the job {record['uid']}, not {want_uid}")
    if record["specDigest"] != config.job.spec_digest:
        raise _refusal(directory, "its record has another digest: the immutable part of the spec differs")


def _refusal(directory: RunDirectory, why: str) -> TrainingError:
    return TrainingError(
        FailureClass.USER_ERROR,
        "RunDirectoryTaken",
        f"storage.runs: {directory.root} is not this job's: {why}.",
        remedy="Create the job under a new name, continue with the same spec, or delete the folder.",
    )
