"""The last words of a run for a person: what came out, or what went wrong and what to do about it."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from trivium.cli.exit_codes import ExitCode
from trivium.cli.job_view import JobView


def print_ending(views: Sequence[JobView], console: Console, *, exit_code: int) -> None:
    """One paragraph a job, and nothing for a job that only has to go on."""
    for view in views:
        if view.has_succeeded:
            _print(console, ("✓ ", "green"), (view.job, "bold"), (" succeeded", ""))
            _print_fact(console, "model", view.output)
            _print_fact(console, "report", view.report)
        elif view.failure is not None:
            failure = view.failure
            _print(console, ("✗ ", "red"), (view.job, "bold"), (f" failed: {failure.failure_class}", "red"))
            _print(console, (f"  {failure.reason}: {failure.message}", ""))
            if failure.remedy:
                _print(console, (f"  What to do: {failure.remedy}", ""))
            _print(console, (f"  More: trivium logs {view.job}", "dim"))
        elif view.is_suspended:
            _print(console, ("‖ ", "yellow"), (view.job, "bold"), (" is suspended", ""))
            _print(console, (f"  Go on with: trivium resume {view.job}, then trivium run", "dim"))
        elif view.message and exit_code != ExitCode.INTERRUPTED:
            _print(console, ("· ", "dim"), (view.job, "bold"), (f" {view.phase}: {view.message}", ""))


def _print_fact(console: Console, name: str, value: str | None) -> None:
    if value:
        _print(console, (f"  {name:<7}", "dim"), (_from_here(value), ""))


def _from_here(path: str) -> str:
    """Short where that is possible; either way it can be copied to the next command."""
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path


def _print(console: Console, *parts: tuple[str, str]) -> None:
    # soft_wrap: a path that is cut into lines cannot be copied.
    console.print(Text.assemble(*parts), soft_wrap=True)
