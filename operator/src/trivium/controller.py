"""The engine: events in, passes out. `local/` drives it over its own objects, `handlers/` over Kopf's watches.

on_event, resync ───> store ──keys──> work queue ──workers──> reconcile ──next look──> work queue
on_report ──────────> store ──key───┘
"""

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from pydantic import ValidationError

from trivium.api import Job, parse_job
from trivium.api.status import Attempt, JobStatus
from trivium.domain.attempt_facts import is_urgent, progress_due_at
from trivium.domain.report import ProgressReport, ReportSnapshot
from trivium.domain.report_answer import answer_report
from trivium.ports import Clock, Cluster, ClusterError, Manifest, ObjectKey, Observer
from trivium.reconcile import Settings, reconcile
from trivium.store import WATCHED_KINDS, Store
from trivium.work_queue import WorkQueue

RESYNC_INTERVAL = timedelta(minutes=10)
"""A watch emits nothing for what vanished while it was broken; a list does."""
BEAT = timedelta(seconds=10)
"""How often the engine notes that it is alive."""
ABSENCE = timedelta(seconds=60)
"""More between two beats than any load explains: the process was frozen, or the clock was set."""
RECORD_PATIENCE = timedelta(seconds=3)
"""How long a final report may wait for its record before the trainer is asked to repeat it: it hangs up after five."""

_log = logging.getLogger(__name__)


class SystemClock:
    """The clock of this machine (ports.Clock)."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def wait(self, event: asyncio.Event, *, until: datetime | None) -> None:
        seconds = None if until is None else max(0.0, (until - self.now()).total_seconds())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporter:
    """Who sent a report, as its token proves."""

    job_uid: str
    """The job that the token's audience names."""
    ray_cluster: str | None = None
    """The RayCluster of the token's pod; None where the token cannot tell."""
    namespace: str | None = None
    """The namespace of that pod; None where the token cannot tell."""


class ReportError(Exception):
    """A report that is not taken. The trainer warns and goes on; a final report is repeated."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


class Controller:
    """Lives on one event loop; `run` until cancelled or stopped."""

    def __init__(
        self,
        store: Store,
        cluster: Cluster,
        settings: Settings,
        clock: Clock,
        *,
        num_workers: int = 4,
        observer: Observer | None = None,
    ) -> None:
        self._store = store
        self._cluster = cluster
        self._settings = settings
        self._clock = clock
        self._num_workers = num_workers
        self._observer = observer or Observer()
        self._queue: WorkQueue[ObjectKey] = WorkQueue(clock)
        self._under_way: set[asyncio.Future[None]] = set()
        self._begun: dict[ObjectKey, datetime] = {}
        """When each pass under way began."""
        self._passed = asyncio.Event()
        self._listed = asyncio.Event()
        """Nothing is decided from half a world: the first pass waits for the first full list."""
        self._stopping = asyncio.Event()
        self._last_beat: datetime | None = None

    def on_event(self, event_type: str | None, manifest: Manifest) -> None:
        """One watch event: ADDED, MODIFIED, DELETED, or None for an object that was listed."""
        self._wake(self._store.apply_event(event_type, manifest))

    async def resync(self) -> None:
        """List every watched kind anew and look at every job. Raises ClusterError."""
        with self._store.asking() as heard:
            lists = [(kind, await self._cluster.list_all(kind)) for kind in WATCHED_KINDS]
            # Taken in at once: a pass between two of them would see an end without its evidence.
            for kind, manifests in lists:
                self._wake(self._store.replace(kind, manifests, heard=heard))
        self._listed.set()
        self._wake(self._store.job_keys())

    def beat(self) -> None:
        """Note the time. After an absence, reports that came meanwhile are still unread, and a clock that was set says
        nothing about trainers: silence counts from now on. `run` calls it; so does who drives the engine step by step.
        """
        now, last = self._clock.now(), self._last_beat
        self._last_beat = now
        if last is not None and not -ABSENCE < now - last < ABSENCE:
            _log.warning("%.0f seconds between two beats; silence counts from now", (now - last).total_seconds())
            self._settings = replace(self._settings, listening_since=now)
            self._wake(self._store.job_keys())  # looks that were put off by the old clock

    def trust(self, ca_pem: str | None) -> None:
        """The authorities of the progress endpoint from now on: every job's pass brings them to its namespace."""
        if ca_pem != self._settings.ca_pem:
            self._settings = replace(self._settings, ca_pem=ca_pem)
            self._wake(self._store.job_keys())

    def has_listed(self) -> bool:
        """Whether the first full list is in: before it nothing is decided."""
        return self._listed.is_set()

    def longest_pass(self) -> timedelta:
        """How long the oldest pass under way has been so; every call of it has a time-out, so minutes mean a bug."""
        return max((self._clock.now() - begun for begun in self._begun.values()), default=timedelta(0))

    async def run(self) -> None:
        """Reconcile until `stop`; the passes under way are finished first. Silence of trainers counts from here."""
        self._settings = replace(self._settings, listening_since=self._clock.now())
        workers = [asyncio.create_task(self._work()) for _ in range(self._num_workers)]
        resync = asyncio.create_task(self._resync_regularly())
        beats = asyncio.create_task(self._beat_regularly())
        try:
            await self._stopping.wait()
        finally:
            for task in (beats, resync, *workers):
                task.cancel()
            await asyncio.gather(beats, resync, *workers, *self._under_way, return_exceptions=True)

    async def stop(self) -> None:
        """End `run`; what was recorded is found again by the next process."""
        self._stopping.set()

    def pop(self) -> ObjectKey | None:
        """The next key that is ready; the caller owes a `one_pass`. For who drives the engine step by step."""
        return self._queue.pop()

    def next_ready_at(self) -> datetime | None:
        """When the next delayed key becomes ready."""
        return self._queue.next_ready_at()

    async def one_pass(self, key: ObjectKey) -> None:
        """Reconcile a key that was taken from the queue, and queue what follows from it."""
        if self._last_beat is not None:
            self.beat()  # a process that thaws may come here before its beat does
        self._begun[key] = self._clock.now()
        self._observer.on_pass_begin(key, waited=self._queue.waited(key))
        failure: Exception | None = None
        try:
            outcome = await reconcile(
                key, now=self._clock.now(), store=self._store, cluster=self._cluster, settings=self._settings
            )
        except ClusterError as error:
            failure, delay = error, self._queue.add_rate_limited(key)
            _log.warning("%s: %s; again in %.1f s", key.kind, type(error).__name__, delay.total_seconds())
        except Exception as error:  # noqa: BLE001 a bug in one job's pass must not end the passes of the others
            failure, delay = error, self._queue.add_rate_limited(key)
            _log.exception("%s: the pass failed; again in %.1f s", key.kind, delay.total_seconds())
        else:
            self._queue.forget(key)
            if outcome.change is not None:
                self._observer.on_status(key, old=outcome.change.old, new=outcome.change.new)
            if outcome.recorded and self._store.shows_last_write(key):
                self._queue.add(key)
            if outcome.next_look is not None:
                self._queue.add_at(key, outcome.next_look)
        finally:
            self._queue.done(key)
            took = max(timedelta(0), self._clock.now() - self._begun.pop(key))
            self._observer.on_pass_end(key, took=took, error=failure)
            self._passed.set()
            self._passed = asyncio.Event()

    async def on_report(self, raw: Mapping[str, Any], reporter: Reporter) -> dict[str, Any]:
        """Take in a trainer's report; the answer as JSON. Raises ReportError.

        A final report is answered only when its word is in status: reports do not outlive this process.
        """
        report = self._parse(raw, reporter)
        key, job, attempt = self._addressee(report, reporter)
        snapshot = self._store.put_report(reporter.job_uid, attempt.number, report, now=self._clock.now())
        status = job.status or JobStatus()
        if is_urgent(status, snapshot):
            self._queue.add(key)
        else:
            interval, now = self._settings.limits.progress_interval, self._clock.now()
            due = progress_due_at(status, interval=interval)
            self._queue.add_at(key, min(due, now + interval) if due is not None else now)
        if report.end is not None:
            status, attempt = await self._recorded(key, attempt, snapshot)
        return answer_report(job, status, attempt, report)

    def _parse(self, raw: Mapping[str, Any], reporter: Reporter) -> ProgressReport:
        try:
            report = ProgressReport.model_validate(raw)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            message = f"{'.'.join(map(str, first['loc'])) or 'report'}: {first['msg']}"
            raise ReportError(HTTPStatus.BAD_REQUEST, message) from None
        if report.job_uid != reporter.job_uid:
            raise ReportError(HTTPStatus.FORBIDDEN, "jobUid: the token is another job's. Use this job's own token.")
        return report

    def _addressee(self, report: ProgressReport, reporter: Reporter) -> tuple[ObjectKey, Job, Attempt]:
        """The job and the living attempt that a report speaks for."""
        key = self._store.job_key(reporter.job_uid)
        manifest = self._store.get(key) if key is not None else None
        if key is None or manifest is None:
            raise ReportError(HTTPStatus.NOT_FOUND, "jobUid: there is no such job (any more).")
        if reporter.namespace is not None and reporter.namespace != key.namespace:
            # Labels and owners of a pod are its author's to write, and he may live in another namespace.
            raise ReportError(HTTPStatus.FORBIDDEN, "jobUid: the job is of another namespace than the token's pod.")
        try:
            job = parse_job(manifest)
        except ValidationError:
            raise ReportError(HTTPStatus.CONFLICT, "The job's spec is not valid; see its status.") from None
        attempt = self._living(job)
        if attempt is None or attempt.stage != report.stage:
            raise ReportError(HTTPStatus.CONFLICT, f"stage: no attempt of stage {report.stage} is expected to run.")
        cluster = attempt.ray_cluster or self._cluster_of(reporter.job_uid, attempt)
        earlier = {one.ray_cluster for one in (job.status.attempts[:-1] if job.status is not None else ())}
        if reporter.ray_cluster and (reporter.ray_cluster in earlier or (cluster and reporter.ray_cluster != cluster)):
            raise ReportError(HTTPStatus.CONFLICT, "The report comes from an attempt that is over.")
        return key, job, attempt

    def _living(self, job: Job) -> Attempt | None:
        attempts = job.status.attempts if job.status is not None else ()
        return attempts[-1] if attempts and attempts[-1].ended_at is None else None

    def _cluster_of(self, job_uid: str, attempt: Attempt) -> str:
        """The RayCluster of an attempt that status does not name yet."""
        for ray_job in self._store.owned_by(job_uid, "RayJob"):
            if ray_job["metadata"]["name"] == attempt.ray_job:
                return str((ray_job.get("status") or {}).get("rayClusterName") or "")
        return ""

    async def _recorded(self, key: ObjectKey, attempt: Attempt, snapshot: ReportSnapshot) -> tuple[JobStatus, Attempt]:
        """Wait until status holds the last word of an attempt."""
        deadline = snapshot.received_at + RECORD_PATIENCE
        while True:
            manifest = self._store.get(key)
            status = JobStatus.model_validate((manifest or {}).get("status") or {})
            found = next((one for one in status.attempts if one.number == attempt.number), None)
            if found is not None and found.outcome is not None:
                return status, found
            if manifest is None or self._clock.now() >= deadline:
                raise ReportError(HTTPStatus.SERVICE_UNAVAILABLE, "The end is not recorded yet. Repeat the report.")
            await self._clock.wait(self._passed, until=deadline)

    async def _work(self) -> None:
        await self._clock.wait(self._listed, until=None)
        while True:
            key = await self._queue.get()
            under_way = asyncio.ensure_future(self.one_pass(key))
            self._under_way.add(under_way)
            under_way.add_done_callback(self._under_way.discard)
            # Shielded: a pass that has begun to write ends, also when its worker is told to stop.
            await asyncio.shield(under_way)

    async def _beat_regularly(self) -> None:
        while True:
            self.beat()
            await self._clock.wait(asyncio.Event(), until=self._clock.now() + BEAT)

    async def _resync_regularly(self) -> None:
        delay = timedelta(0)
        while True:
            await self._clock.wait(asyncio.Event(), until=self._clock.now() + delay)
            try:
                await self.resync()
                delay = RESYNC_INTERVAL
            except ClusterError as error:
                _log.warning("listing failed: %s", type(error).__name__)
                delay = timedelta(seconds=5)

    def _wake(self, keys: Sequence[ObjectKey] | frozenset[ObjectKey]) -> None:
        for key in sorted(keys):
            self._queue.add(key)
