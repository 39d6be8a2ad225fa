"""`kubectl trivium logs`: what an attempt's pods printed, and what they go on to print."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from trivium.cli.cluster.follow_log import follow_log
from trivium.cli.cluster.jobs import get_job, read_again
from trivium.cli.cluster.log_attempts import choose_attempt, no_attempt, no_pods, tell_of_others
from trivium.cli.cluster.log_options import LogOptions
from trivium.cli.cluster.log_sources import LogSource, choose_sources, selector
from trivium.cli.cluster.session import on_cluster
from trivium.cli.cluster.target import ClusterTarget
from trivium.cli.job_address import address_of
from trivium.cli.job_view import view_job
from trivium.kube.pod_logs import read_pod_log
from trivium.kube.user_access import UserAccess
from trivium.kube.user_requests import list_objects
from trivium.kube.user_resources import POD
from trivium.ports import Manifest, NotFoundError, TransientError

_POLL_SECONDS = 2.0


def show_cluster_logs(job: str, target: ClusterTarget, options: LogOptions) -> None:
    """Print what there is and, with `follow`, what comes, until the job ends. Raises CommandError."""
    on_cluster(target, lambda access: _show(access, job, options))


async def _show(access: UserAccess, address: str, options: LogOptions) -> None:
    job = await get_job(access, address)
    if options.follow:
        await _Following(access, options).run(job)
        return
    attempt = choose_attempt(job, stage=options.stage, number=options.attempt)
    if attempt is None:
        raise no_attempt(job, stage=options.stage, number=options.attempt)
    sources = await _sources(access, job, attempt, options)
    if not any(one.started for one in sources):
        raise no_pods(job, attempt)
    _note(tell_of_others(job, attempt))
    for source in sources:
        await _print_whole(access, source, job=job, options=options, prefixed=len(sources) > 1)


async def _sources(
    access: UserAccess, job: Manifest, attempt: Mapping[str, Any], options: LogOptions
) -> Sequence[LogSource]:
    pods = await list_objects(access, POD, namespace=job["metadata"]["namespace"], labels=selector(job, attempt))
    return choose_sources(pods, attempt=attempt, all_pods=options.all_pods)


async def _print_whole(
    access: UserAccess, source: LogSource, *, job: Manifest, options: LogOptions, prefixed: bool
) -> None:
    if not source.started:
        _note(f"{source.title} has not started.")
        return
    async for line in read_pod_log(
        access,
        namespace=job["metadata"]["namespace"],
        pod=source.pod,
        container=source.container,
        tail_lines=options.tail,
        timestamps=options.timestamps,
    ):
        _print(source, line, prefixed=prefixed)


class _Following:
    """Every attempt that fits, one after the other, each of its pods from when it prints until it ends."""

    def __init__(self, access: UserAccess, options: LogOptions) -> None:
        self._access = access
        self._options = options
        self._streams: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._told: set[int] = set()

    async def run(self, job: Manifest) -> None:
        """Return when the job has ended, or the one attempt that was asked for, and everything is printed."""
        try:
            async with asyncio.TaskGroup() as group:
                current: Manifest | None = job
                while current is not None:
                    current = await self._look(current, group)
        except* Exception as several:  # one error is told, not a group of them
            raise several.exceptions[0] from several

    async def _look(self, job: Manifest, group: asyncio.TaskGroup) -> Manifest | None:
        """Join what has started; the job as it is a moment later, None when there is nothing to wait for."""
        try:
            attempt = choose_attempt(job, stage=self._options.stage, number=self._options.attempt)
            if attempt is not None:
                await self._join(job, attempt, group)
            if self._is_over(job, attempt):
                return None
            await asyncio.sleep(_POLL_SECONDS)
            return await read_again(self._access, job)
        except NotFoundError:
            _note(f"{address_of(job)} is deleted.")
            return None
        except TransientError as error:
            _note(f"{error}. Trying again.")
            await asyncio.sleep(_POLL_SECONDS)
            return job

    async def _join(self, job: Manifest, attempt: Mapping[str, Any], group: asyncio.TaskGroup) -> None:
        """Follow the pods of an attempt that are not followed yet."""
        for source in await _sources(self._access, job, attempt, self._options):
            key = (source.pod, source.container)
            if not source.started or key in self._streams:
                continue
            if attempt["number"] not in self._told:
                self._told.add(attempt["number"])
                _note(tell_of_others(job, attempt))
            self._streams[key] = group.create_task(self._follow(job, source))

    async def _follow(self, job: Manifest, source: LogSource) -> None:
        await follow_log(
            self._access,
            source,
            namespace=job["metadata"]["namespace"],
            tail=self._options.tail,
            timestamps=self._options.timestamps,
            say=lambda line: _print(source, line, prefixed=self._options.all_pods or source.role != "trainer"),
        )

    def _is_over(self, job: Manifest, attempt: Mapping[str, Any] | None) -> bool:
        if view_job(job).has_ended:
            return True
        pinned = self._options.attempt is not None and attempt is not None
        return pinned and attempt is not None and attempt.get("endedAt") is not None


def _print(source: LogSource, line: str, *, prefixed: bool) -> None:
    print(f"[{source.title}] {line}" if prefixed else line, flush=True)


def _note(text: str) -> None:
    """Beside the log, not in it: standard output holds what the pods printed and nothing else."""
    print(text, file=sys.stderr)
