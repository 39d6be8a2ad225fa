"""The operator's metrics as one object: counters that others add to, and the text of a scrape."""

import asyncio
import importlib.metadata
from collections.abc import Callable, Iterable
from datetime import timedelta

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from trivium.api.status import JobStatus
from trivium.handlers.metrics import families as f
from trivium.handlers.metrics.changes import changes_between
from trivium.handlers.metrics.jobs import JobCollector, JobFigures
from trivium.ports import ClusterError, ObjectKey, Observer

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# Half as many series; nobody reads when a counter began, for Prometheus sees a reset by itself.
disable_created_metrics()  # type: ignore[no-untyped-call]  # prometheus_client 0.26 types it not


class OperatorMetrics(Observer):
    """Counters are safe from any thread; `scrape` belongs to the loop of the store that `read_jobs` reads."""

    def __init__(self, read_jobs: Callable[[], Iterable[JobFigures]]) -> None:
        self._read_jobs = read_jobs
        self._registry = CollectorRegistry()
        self._counters = {x.name: _counter(x, self._registry) for x in f.COUNTED if x.type == "counter"}
        self._histograms = {x.name: _histogram(x, self._registry) for x in f.COUNTED if x.type == "histogram"}
        self._leader = _gauge(f.LEADER, self._registry)
        self._last_event = _gauge(f.WATCH_LAST_EVENT, self._registry)
        self._expiry: Gauge | None = None
        self._namespaces: set[str] = set()
        self._met: set[tuple[str, str]] = set()
        self._leads = False
        _gauge(f.BUILD_INFO, self._registry).labels(importlib.metadata.version("trivium")).set(1)
        ProcessCollector(registry=self._registry)
        self._begin_at_zero(f.KNOWN_SERIES)

    def on_status(self, key: ObjectKey, *, old: JobStatus, new: JobStatus) -> None:
        """A status write succeeded (ports.Observer)."""
        self._meet(key)
        for change in changes_between(key, old=old, new=new):
            labels = self._bounded(change.family, change.labels)
            if change.family.type == "counter":
                self._counters[change.family.name].labels(*labels).inc(change.amount)
            else:
                self._histograms[change.family.name].labels(*labels).observe(change.amount)

    def on_pass_begin(self, key: ObjectKey, *, waited: timedelta) -> None:
        """A pass begins (ports.Observer)."""
        self._histograms[f.EVENT_LAG.name].labels(key.kind).observe(waited.total_seconds())

    def on_pass_end(self, key: ObjectKey, *, took: timedelta, error: Exception | None) -> None:
        """A pass is over (ports.Observer)."""
        self._histograms[f.RECONCILE.name].labels(key.kind).observe(took.total_seconds())
        if error is not None:
            # Any other class is a bug of ours, and its name no affair of a dashboard.
            name = type(error).__name__ if isinstance(error, ClusterError) else "Bug"
            self._counters[f.RECONCILE_ERRORS.name].labels(name).inc()

    def on_api_request(self, verb: str, code: int) -> None:
        """A request to the API server was answered; 0: was not (kube.client.OnRequest)."""
        self._counters[f.API_REQUESTS.name].labels(verb, str(code)).inc()

    def set_leader(self, leads: bool) -> None:
        """Whether this replica acts. A standby exports no job: its store is as full, and would count all twice."""
        self._leads = leads
        self._leader.set(leads)

    def watch_last_event(self, read: Callable[[], float]) -> None:
        """Ask `read` at each scrape when the last watch event came, in seconds since 1970."""
        self._last_event.set_function(read)

    def set_certificate_expiry(self, timestamp: float) -> None:
        """When the certificate in use expires, in seconds since 1970."""
        if self._expiry is None:
            self._expiry = _gauge(f.CERTIFICATE_EXPIRY, self._registry)
        self._expiry.set(timestamp)

    async def scrape(self) -> bytes:
        """The page of this moment. The store is read on this loop; the text is made beside it."""
        jobs = tuple(self._read_jobs()) if self._leads else ()
        return await asyncio.to_thread(self._render, jobs)

    def _render(self, jobs: Iterable[JobFigures]) -> bytes:
        of_jobs = CollectorRegistry()
        if self._leads:
            of_jobs.register(JobCollector(jobs))
        return generate_latest(self._registry) + generate_latest(of_jobs)

    def _meet(self, key: ObjectKey) -> None:
        """A job's first write comes long before its first second is counted."""
        if (key.namespace, key.kind) not in self._met and len(self._met) < f.MAX_NAMESPACES:
            self._met.add((key.namespace, key.kind))
            self._begin_at_zero(f.series_of_namespace(key.namespace, key.kind))

    def _begin_at_zero(self, series: Iterable[tuple[f.Family, tuple[str, ...]]]) -> None:
        """Prometheus sees no increase in a counter that is 1 when it is first seen."""
        for family, labels in series:
            self._counters[family.name].labels(*self._bounded(family, labels))

    def _bounded(self, family: f.Family, labels: tuple[str, ...]) -> tuple[str, ...]:
        if "namespace" not in family.labels:
            return labels
        namespace, *others = labels  # always the first
        if namespace not in self._namespaces:
            if len(self._namespaces) >= f.MAX_NAMESPACES:
                return (f.OTHER_NAMESPACES, *others)
            self._namespaces.add(namespace)
        return labels


def _counter(family: f.Family, registry: CollectorRegistry) -> Counter:
    return Counter(family.name, family.help, family.labels, registry=registry)


def _gauge(family: f.Family, registry: CollectorRegistry) -> Gauge:
    return Gauge(family.name, family.help, family.labels, registry=registry)


def _histogram(family: f.Family, registry: CollectorRegistry) -> Histogram:
    return Histogram(family.name, family.help, family.labels, buckets=family.buckets, registry=registry)
