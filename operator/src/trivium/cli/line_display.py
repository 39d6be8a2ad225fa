"""Plain lines with the time, for logs and pipes: what changed, and now and then how far a job is."""

from collections.abc import Sequence
from datetime import datetime

from rich.console import Console

from trivium.cli import figures
from trivium.cli.ending import print_ending
from trivium.cli.job_view import JobView

_PROGRESS_SECONDS = 10.0


class LineDisplay:
    """A line for each change of phase, stage or message, and one for progress at most every ten seconds a job."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown: dict[str, tuple[str, ...]] = {}
        self._steps: dict[str, tuple[int, float]] = {}

    def update(self, views: Sequence[JobView], *, now: float) -> None:
        """See Display."""
        for view in views:
            facts = (view.phase, view.stage or "", view.message, str(view.attempt))
            if self._shown.get(view.uid) != facts:
                self._shown[view.uid] = facts
                self._steps[view.uid] = (view.step, now)
                if view.message or view.phase != "Pending":  # a job that was just created has nothing to say
                    self._print(view.job, self._change(view))
            elif self._progress_is_due(view, now):
                self._steps[view.uid] = (view.step, now)
                self._print(view.job, progress_text(view))

    def note(self, text: str) -> None:
        """See Display."""
        for line in text.splitlines():
            self._console.print(f"{_time()} {line}", soft_wrap=True, markup=False)

    def log(self, job: str, line: str) -> None:
        """See Display."""
        self._console.print(f"{job} | {line}", soft_wrap=True, markup=False)

    def stop(self) -> None:
        """See Display."""

    def close(self, views: Sequence[JobView], *, exit_code: int) -> None:
        """See Display."""
        print_ending(views, self._console, exit_code=exit_code)

    def _progress_is_due(self, view: JobView, now: float) -> bool:
        step, at = self._steps[view.uid]
        finished = view.step == view.total_steps
        return view.step != step and (now - at >= _PROGRESS_SECONDS or finished)

    def _change(self, view: JobView) -> str:
        where = f"{view.phase}, {view.stage}" if view.stage and not view.has_ended else view.phase
        return f"{where}: {view.message}" if view.message else where

    def _print(self, job: str, text: str) -> None:
        self._console.print(f"{_time()} {job:<16} {text}", soft_wrap=True, markup=False)


def progress_text(view: JobView) -> str:
    """`step 120/480 (25 %), loss 2.1034, 950 tokens/s, 2m10s left`."""
    parts = [f"step {figures.steps(view)}"]
    if view.total_steps:
        parts[0] += f" ({figures.percent(view.step, view.total_steps)} %)"
    if view.loss is not None:
        parts.append(f"loss {figures.loss(view.loss)}")
    if view.tokens_per_second is not None:
        parts.append(f"{figures.rate(view.tokens_per_second)} tokens/s")
    if view.eta:
        parts.append(f"{view.eta} left")
    return ", ".join(parts)


def _time() -> str:
    return datetime.now().astimezone().strftime("%H:%M:%S")
