"""Finds the run directories of a job or a chain, and renders their report."""

from collections.abc import Sequence
from pathlib import Path

from trivium.cli.errors import CommandError
from trivium.cli.exit_codes import ExitCode
from trivium.cli.job_address import address_of, find_job
from trivium.cli.state_reader import StateReader
from trivium.local.snapshots import replace_file
from trivium.ports import Manifest
from trivium_trainer.report import ReportTooLargeError, render_report


def write_report(job: str, *, namespace: str, state: Path, chain: bool, output: Path | None) -> Path:
    """Render and write; the file's path. Raises CommandError."""
    reader = StateReader(state)
    jobs = reader.jobs()
    manifest = find_job(job, jobs, namespace=namespace)
    directories = _directories(reader, jobs, manifest) if chain else [_directory(reader, manifest)]
    path = output or _default_path(manifest, chain=chain)
    try:
        html = render_report(directories)
    except (FileNotFoundError, ReportTooLargeError) as error:
        raise CommandError(str(error), code=ExitCode.NOT_FOUND) from error
    replace_file(path, html)
    return path


def _directories(reader: StateReader, jobs: Sequence[Manifest], job: Manifest) -> list[Path]:
    """The run directories of the model's whole lineage that are still there, first stage first."""
    lineage = (job.get("status") or {}).get("lineage") or []
    by_uid = {one["metadata"]["uid"]: one for one in jobs}
    ancestors = [by_uid[entry["uid"]] for entry in lineage if entry["uid"] in by_uid]
    chain = [*(one for one in ancestors if one["metadata"]["uid"] != job["metadata"]["uid"]), job]
    return [_directory(reader, one) for one in chain]


def _directory(reader: StateReader, job: Manifest) -> Path:
    directory = reader.run_directory(job)
    if directory is None or not directory.is_dir():
        raise CommandError(f"{address_of(job)}: it has written nothing yet.", code=ExitCode.NOT_FOUND)
    return directory


def _default_path(job: Manifest, *, chain: bool) -> Path:
    return Path(f"{job['metadata']['name']}{'-chain' if chain else ''}-report.html")
