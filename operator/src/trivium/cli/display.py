"""How `trivium run` tells what happens: a live table, plain lines, or JSON. The interface, and which one is used."""

import sys
from collections.abc import Sequence
from typing import Protocol

from rich.console import Console

from trivium.cli.job_view import JobView


class Display(Protocol):
    """Everything that a person or a tool sees of a run."""

    def update(self, views: Sequence[JobView], *, now: float) -> None:
        """The jobs as they are now; `now` in seconds of a clock that only goes forward."""

    def note(self, text: str) -> None:
        """One sentence about the run itself."""

    def log(self, job: str, line: str) -> None:
        """One line that a trainer printed."""

    def stop(self) -> None:
        """Leave the terminal as it was found; calling it again does nothing."""

    def close(self, views: Sequence[JobView], *, exit_code: int) -> None:
        """The last word."""


def choose_display(*, as_json: bool) -> Display:
    """JSON if asked for; the live table on a terminal; else plain lines."""
    if as_json:
        from trivium.cli.json_display import JsonDisplay  # noqa: PLC0415 - one of the three is needed

        return JsonDisplay(sys.stdout)
    console = Console(highlight=False)
    if console.is_terminal and not console.is_dumb_terminal:
        from trivium.cli.live_display import LiveDisplay  # noqa: PLC0415 - only the display that is used

        return LiveDisplay(console)
    from trivium.cli.line_display import LineDisplay  # noqa: PLC0415 - only the display that is used

    return LineDisplay(console)
