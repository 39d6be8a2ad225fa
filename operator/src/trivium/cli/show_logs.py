"""The trainers' output of one job: the attempts' logs, one after the other, and the lines to come."""

import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from trivium.cli.errors import CommandError
from trivium.cli.exit_codes import ExitCode
from trivium.cli.job_address import address_of, find_job
from trivium.cli.job_view import view_job
from trivium.cli.log_tail import LogTail
from trivium.cli.state_reader import StateReader
from trivium.ports import Manifest

_POLL_SECONDS = 0.3


def show_logs(job: str, *, namespace: str, state: Path, stage: str | None, attempt: int | None, follow: bool) -> None:
    """Print what there is and, with `follow`, what comes, until the job ends. Raises CommandError."""
    reader = StateReader(state)
    manifest = find_job(job, reader.jobs(), namespace=namespace)
    chosen = _chosen(_attempts(manifest), stage=stage, number=attempt)
    if not chosen and not follow:
        wanted = " that fits" if stage or attempt else ""
        raise CommandError(f"{address_of(manifest)}: no attempt{wanted} has started yet.", code=ExitCode.NOT_FOUND)
    # One attempt unless a stage is asked for: the last one is what people look for.
    first = chosen[-1]["number"] if chosen and stage is None else 0
    tails: dict[str, LogTail] = {}
    while True:
        for one in _chosen(_attempts(manifest), stage=stage, number=attempt):
            if one["number"] >= first:
                tails.setdefault(one["rayJob"], LogTail(reader.log_of(namespace, one["rayJob"])))
        _print(line for tail in tails.values() for line in tail.read())
        if not follow or view_job(manifest).has_ended or not reader.is_at_work():
            _print(line for tail in tails.values() for line in tail.rest())
            return
        time.sleep(_POLL_SECONDS)
        manifest = next((one for one in reader.jobs() if _uid(one) == _uid(manifest)), manifest)


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _uid(job: Manifest) -> str:
    return str(job["metadata"]["uid"])


def _attempts(job: Manifest) -> Sequence[Mapping[str, Any]]:
    return (job.get("status") or {}).get("attempts") or []


def _chosen(
    attempts: Sequence[Mapping[str, Any]], *, stage: str | None, number: int | None
) -> Sequence[Mapping[str, Any]]:
    return [
        one
        for one in attempts
        if one.get("rayJob") and stage in (None, one["stage"]) and number in (None, one["number"])
    ]
