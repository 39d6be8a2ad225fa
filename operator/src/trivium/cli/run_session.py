"""One `trivium run`: submit, act or follow, show, and end when nothing that was asked for can move any more."""

import asyncio
import contextlib
import logging
import logging.handlers
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trivium.api import JOB_KINDS
from trivium.cli.display import choose_display
from trivium.cli.engine import Engine
from trivium.cli.errors import CommandError
from trivium.cli.exit_codes import ExitCode
from trivium.cli.job_address import address_of
from trivium.cli.manifests import load_valid
from trivium.cli.ordering import carry_out_alone
from trivium.cli.preflight import bind_claims, check_machine, check_references
from trivium.cli.run_watch import RunWatch
from trivium.cli.state_reader import StateReader
from trivium.local.object_store import Object
from trivium.local.orders import order_key
from trivium.local.requests import Execute, Order, ask
from trivium.local.state_folder import StateLock, StateLockedError

_POLL_SECONDS = 0.25
_ORDER_SECONDS = 1.0
_MAX_LOG_BYTES = 4 * 1024 * 1024
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """The command line of `trivium run`."""

    files: tuple[Path, ...]
    namespace: str
    state: Path
    as_json: bool
    claims: tuple[str, ...]
    follow_logs: bool
    fresh: bool


def run_session(options: RunOptions) -> int:
    """Run to the end; the exit code. Raises CommandError."""
    manifests = load_valid(options.files, namespace=options.namespace)
    check_machine()
    reader = StateReader(options.state)
    bind_claims(reader.folder, options.claims, namespace=options.namespace)
    check_references(manifests, reader.jobs(), reader.folder)
    _log_to(reader.folder.log)
    watch = RunWatch(reader, choose_display(as_json=options.as_json), follow_logs=options.follow_logs)
    return asyncio.run(_Session(options, manifests, reader, watch).run())


def _log_to(path: Path) -> None:
    """The screen belongs to the display; what the parts log is for developers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.handlers.RotatingFileHandler(path, maxBytes=_MAX_LOG_BYTES, backupCount=1, delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


class _Session:
    def __init__(
        self, options: RunOptions, manifests: list[dict[str, Any]], reader: StateReader, watch: RunWatch
    ) -> None:
        self._options = options
        self._manifests = manifests
        self._reader = reader
        self._watch = watch
        self._submitted = False
        self._stop = asyncio.Event()
        self._engine: Engine | None = None

    async def run(self) -> int:
        """Act, or follow who acts, until nothing can move any more or a signal comes."""
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._on_signal)
        try:
            finished = False
            while not finished and not self._stop.is_set():
                finished = await self._act_or_follow()
            return self._watch.close(self._reader.jobs(), interrupted=not finished)
        finally:
            self._watch.give_back_terminal()

    def _on_signal(self) -> None:
        if self._engine is not None and self._stop.is_set():
            self._engine.hurry()
        elif self._engine is not None:
            self._watch.note("Saving and stopping; Ctrl-C again stops at once.")
        self._stop.set()

    async def _act_or_follow(self) -> bool:
        """One turn as the embedded cluster or as its follower; whether the run is over."""
        lock = StateLock(self._reader.folder)
        try:
            await self._acquire(lock)
        except StateLockedError as busy:
            return await self._follow(busy)
        try:
            return await self._act()
        finally:
            lock.release()

    async def _acquire(self, lock: StateLock) -> None:
        """Take the lock; an order of another terminal (suspend, delete) holds it for a moment only."""
        deadline = time.monotonic() + _ORDER_SECONDS
        while True:
            try:
                return lock.acquire()
            except StateLockedError:
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(_POLL_SECONDS)

    async def _act(self) -> bool:
        """Be the embedded cluster; whether the run is over."""
        engine = self._engine = Engine(self._reader.folder)
        if not self._submitted:
            self._begin(engine.jobs(), engine.orders)
        try:
            await engine.start()
            finished = await self._until_over(engine.jobs, engine.check)
            if finished:
                await engine.settle()
            return finished
        finally:
            await engine.stop()

    async def _follow(self, busy: StateLockedError) -> bool:
        """Submit to the process at work and show what it does; False when it ends before we are done."""
        if self._options.fresh:
            raise CommandError(f"--fresh: {busy}. Stop that one first.")
        if not self._submitted:
            folder = self._reader.folder
            self._watch.note(f"{busy}: it runs these jobs, and is followed here.".capitalize())
            await asyncio.to_thread(
                self._begin, self._reader.jobs(), lambda order: ask(folder, order, alone=carry_out_alone(folder))
            )
        with contextlib.suppress(_WorkerEndedError):
            return await self._until_over(self._reader.jobs, self._check_worker)
        return False

    def _check_worker(self) -> None:
        if not self._reader.is_at_work():
            raise _WorkerEndedError

    async def _until_over(self, jobs: Callable[[], list[Object]], check: Callable[[], None]) -> bool:
        while not self._stop.is_set():
            check()
            if self._watch.show(jobs()):
                return True
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), _POLL_SECONDS)
        return False

    def _begin(self, known: Sequence[Object], execute: Execute) -> None:
        """Forget what is to be forgotten, submit, and tell the watch what it is about."""
        named = [manifest for manifest in self._manifests if manifest["kind"] in JOB_KINDS]
        keys = [order_key(manifest) for manifest in named]
        if self._options.fresh:
            for job in known:
                if order_key(job) in keys:
                    self._order({"verb": "delete", "job": order_key(job), "runs": True}, execute, name=address_of(job))
        if self._manifests:
            notes = self._order({"verb": "submit", "manifests": self._manifests}, execute)
            if notes:
                self._watch.note(notes)
        self._watch.begin(keys, known=() if self._options.fresh else known)
        self._submitted = True

    def _order(self, order: Order, execute: Execute, *, name: str = "") -> str:
        answer = execute(order)
        if not answer.ok:
            hint = " --fresh starts the job anew." if "Immutable" in answer.message else ""
            raise CommandError(f"{name} {answer.message}{hint}".strip(), code=ExitCode.INVALID)
        return answer.message


class _WorkerEndedError(Exception):
    """The process that was followed is gone; whoever takes the lock goes on."""
