"""`-o json`: one JSON object a line, for machines. `type` is job, note, log or end."""

import json
from collections.abc import Sequence
from typing import Any, TextIO

from trivium.cli.job_view import JobView


class JsonDisplay:
    """A job's line is written when anything in it has changed."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shown: dict[str, JobView] = {}

    def update(self, views: Sequence[JobView], *, now: float) -> None:  # noqa: ARG002 - Display
        """See Display."""
        for view in views:
            if self._shown.get(view.uid) != view:
                self._shown[view.uid] = view
                self._write({"type": "job", **view.to_json()})

    def note(self, text: str) -> None:
        """See Display."""
        self._write({"type": "note", "message": text})

    def log(self, job: str, line: str) -> None:
        """See Display."""
        self._write({"type": "log", "job": job, "line": line})

    def stop(self) -> None:
        """See Display."""

    def close(self, views: Sequence[JobView], *, exit_code: int) -> None:
        """See Display."""
        self.update(views, now=0)
        self._write({"type": "end", "exitCode": exit_code})

    def _write(self, value: dict[str, Any]) -> None:
        self._stream.write(json.dumps(value) + "\n")
        self._stream.flush()
