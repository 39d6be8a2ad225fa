"""The live table of a terminal: one row a job, redrawn in place; notes and logs scroll by above it."""

from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from trivium.cli import figures
from trivium.cli.ending import print_ending
from trivium.cli.exit_codes import ExitCode
from trivium.cli.job_view import JobView

_COLORS = {"Succeeded": "green", "Failed": "red", "Suspended": "yellow", "Suspending": "yellow", "Restarting": "yellow"}
_QUIET = {"Pending", "Waiting", "Queued"}
_SIGNS = {"Succeeded": "✓", "Failed": "✗", "Suspended": "‖"}
_REDRAWS_PER_SECOND = 4


class LiveDisplay:
    """Owns the terminal between its first update and `close`."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._spinner = Spinner("dots", style="cyan")
        self._live = Live(console=console, refresh_per_second=_REDRAWS_PER_SECOND, redirect_stderr=True)
        self._started = False

    def update(self, views: Sequence[JobView], *, now: float) -> None:  # noqa: ARG002 - Display
        """See Display."""
        if not self._started:
            self._live.start()
            self._started = True
        self._live.update(self.draw(views))

    def note(self, text: str) -> None:
        """See Display."""
        self._console.print(Text(text, style="dim"))

    def log(self, job: str, line: str) -> None:
        """See Display."""
        self._console.print(Text.assemble((f"{job} ", "cyan"), line))

    def stop(self) -> None:
        """See Display."""
        self._live.stop()

    def close(self, views: Sequence[JobView], *, exit_code: int) -> None:
        """See Display."""
        self._live.transient = exit_code == ExitCode.INTERRUPTED  # a table that says Running would be wrong
        if self._started:
            self._live.update(self.draw(views, with_messages=False), refresh=True)
            self._live.stop()
        print_ending(views, self._console, exit_code=exit_code)

    def draw(self, views: Sequence[JobView], *, with_messages: bool = True) -> RenderableType:
        """The table, and below it what the jobs say of themselves."""
        table = Table(box=None, pad_edge=False, header_style="dim", expand=False)
        table.add_column("")
        table.add_column("JOB", no_wrap=True, style="bold")
        table.add_column("PHASE", no_wrap=True)
        table.add_column("PROGRESS", no_wrap=True)
        for name in ("STEP", "LOSS", "TOKENS/S", "ETA"):
            table.add_column(name, no_wrap=True, justify="right")
        for view in views:
            table.add_row(*self._row(view))
        messages = [_message(view) for view in views if view.message and not view.has_ended]
        return Group(table, *(messages if with_messages else ()))

    def _row(self, view: JobView) -> tuple[RenderableType, ...]:
        style = "dim" if view.phase in _QUIET else _COLORS.get(view.phase, "cyan")
        busy = not view.has_ended and not view.is_suspended and view.phase not in _QUIET
        sign: RenderableType = self._spinner if busy else Text(_SIGNS.get(view.phase, "·"), style=style)
        phase = f"{view.phase} {view.stage}" if busy and view.stage and view.phase != "Preparing" else view.phase
        if busy and view.activity not in {None, "step"}:
            phase += f", {view.activity}"
        return (
            sign,
            view.job,
            Text(phase, style=style),
            _bar(view),
            figures.steps(view),
            figures.loss(view.loss),
            figures.rate(view.tokens_per_second) if busy else "",
            view.eta or "" if busy else "",
        )


def _bar(view: JobView) -> RenderableType:
    if not view.total_steps or (not view.step and not view.has_ended):
        return Text("")
    done = view.total_steps if view.has_succeeded else view.step
    return ProgressBar(total=view.total_steps, completed=done, width=20, complete_style="cyan", finished_style="green")


def _message(view: JobView) -> Text:
    return Text.assemble(("  ", ""), (f"{view.job}: ", "dim bold"), (view.message, "dim"), overflow="ellipsis")
