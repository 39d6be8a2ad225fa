"""A state folder as a reader sees it, beside whoever acts on it: jobs, events, logs, run directories."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from trivium.api import JOB_KINDS
from trivium.cli.errors import CommandError
from trivium.cli.job_view import JobView
from trivium.local.attempt import DRIVER_LOG
from trivium.local.cluster import read_events
from trivium.local.object_store import Object
from trivium.local.snapshots import read_objects
from trivium.local.state_folder import StateFolder, lock_holder
from trivium.ports import Manifest

_CLAIM_SCHEME = "pvc://"


class StateReader:
    """Reads; never takes the lock."""

    def __init__(self, state: Path) -> None:
        # Absolute: what lies in it becomes the targets of links and the environment of processes elsewhere.
        self.folder = StateFolder(state.absolute())

    def jobs(self) -> list[Object]:
        """Every job, by kind and name. Raises CommandError if a file is damaged."""
        try:
            return [job for kind in JOB_KINDS for job in read_objects(self.folder.objects, kind)]
        except ValueError as error:
            raise CommandError(str(error)) from error

    def events(self, job: Manifest) -> Sequence[dict[str, Any]]:
        """The events about a job, oldest first."""
        uid = job["metadata"]["uid"]
        return [event for event in read_events(self.folder.events) if event.get("uid") == uid]

    def is_at_work(self) -> bool:
        """Whether a process acts on this folder now."""
        return lock_holder(self.folder.lock_file) is not None

    def log_of(self, namespace: str, rayjob: str) -> Path:
        """The driver's log of one attempt; it may not exist yet, or any more."""
        return self.folder.attempt(namespace, rayjob) / DRIVER_LOG

    def path_of(self, namespace: str, uri: str) -> Path:
        """Where a place that status names lies on this machine."""
        if not uri.startswith(_CLAIM_SCHEME):
            raise CommandError(f"{uri}: not on this machine.")
        claim, _, path = uri.removeprefix(_CLAIM_SCHEME).partition("/")
        return self.folder.claim(namespace, claim) / path

    def on_this_machine(self, view: JobView) -> JobView:
        """The same row with paths instead of claims; a report that is not written yet is left out."""
        output = None if view.output is None else str(self.path_of(view.namespace, view.output))
        report = None if view.report is None else self.path_of(view.namespace, view.report)
        return replace(view, output=output, report=str(report) if report and report.is_file() else None)

    def run_directory(self, job: Manifest) -> Path | None:
        """Everything that a job wrote; None before its plan says where."""
        runs = ((job.get("status") or {}).get("plan") or {}).get("runs")
        if runs is None:
            return None
        metadata, storage = job["metadata"], job["spec"].get("storage") or {}
        uid = storage.get("continueFrom") or metadata["uid"]
        claim = self.folder.claim(metadata["namespace"], runs["claimName"])
        return Path(claim, runs.get("path") or "", metadata["namespace"], job["kind"], metadata["name"], uid)
