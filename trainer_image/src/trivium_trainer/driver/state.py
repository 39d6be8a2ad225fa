"""The newest state of a run, merged from what the recipe says, always fit to be sent.

A recipe's number must never stop its training: what the contract of ProgressReport does not allow (NaN, an odd key, a
message too long) is left out or cut here.
"""

import logging
import math
import re
import threading
from typing import Any

from pydantic import ValidationError

from trivium_trainer.progress import EVALUATION_PREFIX, MAX_CHECKPOINTS, MAX_METRICS, METRIC_KEY_PATTERN, ProgressReport

MAX_MESSAGE = 1024
_METRIC_KEY = re.compile(METRIC_KEY_PATTERN)
log = logging.getLogger(__name__)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


class RunState:
    """Thread-safe: the training thread merges, the reporter's thread reads."""

    def __init__(self, **fields: Any) -> None:
        self._lock = threading.Lock()
        self._fields: dict[str, Any] = {}
        self.merge(**fields)

    def merge(self, **fields: Any) -> None:
        """Take over new values; a field that the contract does not know or allow is logged and left out."""
        with self._lock:
            newest = {**self._fields, **{name: _clean(name, value) for name, value in fields.items()}}
            if "metrics" in fields:
                newest["metrics"] = _renew(self._fields.get("metrics", {}), newest["metrics"])
            try:
                ProgressReport(sequence=0, **newest)
            except ValidationError as error:
                log.error("progress not taken over: %s", error)  # noqa: TRY400  a recipe's slip, not a crash
            else:
                self._fields = newest

    def report(self, sequence: int, **fields: Any) -> ProgressReport:
        """The whole state as one report, with fields of this report alone."""
        with self._lock:
            return ProgressReport(sequence=sequence, **{**self._fields, **fields})


def _renew(old: dict[str, float], new: dict[str, float]) -> dict[str, float]:
    """A step's metrics replace the last step's, an evaluation's the last evaluation's."""
    renewed = {key.startswith(EVALUATION_PREFIX) for key in new}
    kept = {key: value for key, value in old.items() if key.startswith(EVALUATION_PREFIX) not in renewed}
    return dict(sorted({**kept, **new}.items())[:MAX_METRICS])


def _clean(name: str, value: Any) -> Any:
    """What of a field may be sent."""
    match name:
        case "metrics":
            finite = {k: float(v) for k, v in value.items() if _METRIC_KEY.match(k) and math.isfinite(v)}
            return dict(sorted(finite.items())[:MAX_METRICS])
        case "loss" | "tokens_per_second":
            # JSON has no NaN; a diverged loss is told by the failure record.
            return None if value is None or not math.isfinite(value) else float(value)
        case "checkpoints":
            return sorted(value)[-MAX_CHECKPOINTS:]
        case "message":
            return None if value is None else _CONTROL.sub(" ", value)[:MAX_MESSAGE]
        case _:
            return value
