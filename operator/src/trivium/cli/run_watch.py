"""What one `trivium run` watches: which jobs it was asked for, what it shows of them, and how it ends."""

import time
from collections.abc import Mapping, Sequence

from trivium.cli.display import Display
from trivium.cli.errors import CommandError
from trivium.cli.exit_codes import ExitCode
from trivium.cli.failure_codes import exit_code_of
from trivium.cli.job_address import address_of
from trivium.cli.job_view import JobView, view_job
from trivium.cli.log_tail import LogTail
from trivium.cli.run_reports import write_reports
from trivium.cli.standstill import movable_uids, root_of
from trivium.cli.state_reader import StateReader
from trivium.local.orders import order_key
from trivium.ports import Manifest

_Key = Mapping[str, str]


class RunWatch:
    """`begin` once, `show` until it says that the run is over, `close` at last."""

    def __init__(self, reader: StateReader, display: Display, *, follow_logs: bool) -> None:
        self._reader = reader
        self._display = display
        self._follow_logs = follow_logs
        self._wanted: list[_Key] = []
        self._others: list[_Key] = []
        self._tails: dict[str, LogTail] = {}
        self._old_attempts: set[str] = set()

    def note(self, text: str) -> None:
        """One sentence about the run itself."""
        self._display.note(text)

    def begin(self, wanted: Sequence[_Key], *, known: Sequence[Manifest]) -> None:
        """Watch these jobs, or all that are not over where none is named. `known`: jobs that were there before.

        Raises CommandError if there is nothing to do.
        """
        unfinished = [order_key(job) for job in known if not view_job(job).has_ended]
        self._wanted = [*wanted] or [*unfinished]
        if not self._wanted:
            message = "nothing is left to go on with. Name a file: trivium run FILE."
            raise CommandError(message, code=ExitCode.NOT_FOUND)
        self._others = [key for key in unfinished if key not in self._wanted]
        self._old_attempts = {view.ray_job for view in map(view_job, known) if view.ray_job}
        for job in known:
            if order_key(job) in self._wanted and view_job(job).has_ended:
                self.note(f"{address_of(job)} is over already; --fresh runs it anew.")
        if self._others:
            names = ", ".join(address_of(job) for job in known if order_key(job) in self._others)
            self.note(f"Also goes on: {names}. `trivium suspend` or `trivium delete` holds it back.")

    def show(self, jobs: Sequence[Manifest]) -> bool:
        """Show the jobs as they are now; whether nothing that was asked for can move any more."""
        self._display.update(self._views(jobs, self._wanted + self._others), now=time.monotonic())
        if self._follow_logs:
            self._show_logs(jobs)
        movable = movable_uids(jobs)
        return not any(job["metadata"]["uid"] in movable for job in _chosen(jobs, self._wanted))

    def close(self, jobs: Sequence[Manifest], *, interrupted: bool) -> int:
        """Write the reports, say the last words; the exit code."""
        wanted = _chosen(jobs, self._wanted)
        code: int = ExitCode.INTERRUPTED
        if interrupted:
            self.note(_continuation(wanted))
        else:
            code = exit_code([view_job(root_of(job, jobs)) for job in wanted])
            for problem in write_reports(self._reader, wanted):
                self.note(problem)
        shown = self._views(jobs, self._wanted if not interrupted else self._wanted + self._others)
        self._display.close(shown, exit_code=code)
        return code

    def give_back_terminal(self) -> None:
        """Also after an error: a terminal without a cursor is no place to read about it."""
        self._display.stop()

    def _views(self, jobs: Sequence[Manifest], keys: Sequence[_Key]) -> list[JobView]:
        return [self._reader.on_this_machine(view_job(job)) for job in _chosen(jobs, keys)]

    def _show_logs(self, jobs: Sequence[Manifest]) -> None:
        for view in map(view_job, _chosen(jobs, self._wanted)):
            if view.ray_job is None or view.ray_job in self._old_attempts:
                continue
            log = self._reader.log_of(view.namespace, view.ray_job)
            for line in self._tails.setdefault(view.ray_job, LogTail(log)).read():
                self._display.log(view.job, line)


def exit_code(views: Sequence[JobView]) -> int:
    """0 if all succeeded; else the first failure's class, then a job that cannot go on, then a suspended one."""
    for view in views:
        if view.failure is not None:
            return exit_code_of(view.failure.failure_class)
    if any(not view.has_ended and not view.is_suspended for view in views):
        return ExitCode.USER_ERROR
    return ExitCode.SUSPENDED if any(view.is_suspended for view in views) else 0


def _chosen(jobs: Sequence[Manifest], keys: Sequence[_Key]) -> list[Manifest]:
    """The jobs with these keys, in the order of the keys; one that was deleted meanwhile is left out."""
    by_key = {tuple(order_key(job).values()): job for job in jobs}
    return [by_key[tuple(key.values())] for key in keys if tuple(key.values()) in by_key]


def _continuation(jobs: Sequence[Manifest]) -> str:
    saved = [
        f"{address_of(job)} from step {checkpoint['step']}"
        for job in jobs
        if not view_job(job).has_ended and (checkpoint := (job.get("status") or {}).get("checkpoint"))
    ]
    where = f" ({', '.join(saved)})" if saved else ""
    return f"Stopped. The same command, or `trivium run` alone, goes on where it was{where}."
