"""The reports at the end of a run: one for each job that wrote something, and one for each chain."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from trivium.cli.errors import CommandError
from trivium.cli.job_address import address_of
from trivium.cli.state_reader import StateReader
from trivium.cli.write_report import write_report
from trivium.ports import Manifest

REPORT = Path("train", "report", "report.html")


def write_reports(reader: StateReader, jobs: Sequence[Manifest]) -> Iterator[str]:
    """Write each job's report into its run directory; a job with a lineage gets the report of the whole chain.

    Yields one sentence for each report that could not be written: a run does not fail by its report.
    """
    for job in jobs:
        directory = reader.run_directory(job)
        if directory is None or not (directory / REPORT).parent.is_dir():
            continue
        try:
            write_report(
                address_of(job),
                namespace=job["metadata"]["namespace"],
                state=reader.folder.root,
                chain=len((job.get("status") or {}).get("lineage") or []) > 0,
                output=directory / REPORT,
            )
        except CommandError as error:
            yield f"{address_of(job)}: no report: {error}"
