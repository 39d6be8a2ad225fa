"""The report of a run or of a chain of runs: read, summarized, rendered. No torch, no network, no clock."""

from trivium_trainer.report.chain import find_chain
from trivium_trainer.report.page import ReportTooLargeError, render_report, write_report
from trivium_trainer.report.reading import load_run
from trivium_trainer.report.run_report import RunReport
from trivium_trainer.report.summary import StageSummary, summarize

__all__ = [
    "ReportTooLargeError",
    "RunReport",
    "StageSummary",
    "find_chain",
    "load_run",
    "render_report",
    "summarize",
    "write_report",
]
