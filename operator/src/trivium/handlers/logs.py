"""What the operator logs: one JSON object a line, with the job, its attempt and the pass that it belongs to.

Where a line comes from is known by context variables, which a pass's task keeps to itself. Everything that leaves here
is redacted: what an API server or a trainer says may quote a token.
"""

import json
import logging
import re
import sys
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Literal, TextIO

from trivium.ports import ObjectKey, Observer

MAX_CHARACTERS = 16_384
"""Of one message or traceback; collectors cut lines above 16 KiB into pieces that are no JSON."""
_HIDDEN = "[hidden]"
_SECRETS = (  # Each begins where a word does: from every letter of a long one, a look would take quadratic time.
    # A JSON Web Token: service accounts, cloud identities.
    re.compile(r"(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}(\.[\w-]*)?"),
    re.compile(r"(?i)(?<=\bbearer )[\w.~+/=-]{8,}"),
    re.compile(r"(?i)(?<=\bbasic )[\w+/]{8,}=*"),
    re.compile(r"(?<=://)[^/\s@:]+:[^/\s@]+(?=@)"),  # user and password in an address
    re.compile(r"\b(hf_|sk-|gh[pousr]_|github_pat_|glpat-|xox[abprs]-|AKIA|ASIA)[\w-]{12,}"),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)"),
    # key=value and "key": "value", also inside longer names such as AWS_SECRET_ACCESS_KEY or x-amz-security-token.
    re.compile(
        r"""(?ix)(?<![\w.-]) [\w.-]* (?:password|passwd|secret|token|api[_-]?key|access[_-]?key|credential)
        (?!s?_?name) [\w.-]{0,64}
        ["']? \s* (?:=|:\s?) \s* (?P<value> "[^"]{6,}" | '[^']{6,}' | (?!\d+\b)[^\s"',;&}\])]{6,})"""
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PassContext:
    """The pass that a task is in."""

    key: ObjectKey
    pass_id: str
    """Unique in the process; with its pod's name in the whole cluster."""
    attempt: int | None = None


_context: ContextVar[PassContext | None] = ContextVar("pass_context", default=None)


class LogContext(Observer):
    """Notes which pass a task is in. `attempt_of` says the number of a job's last attempt, None for none."""

    def __init__(self, attempt_of: Callable[[ObjectKey], int | None]) -> None:
        self._attempt_of = attempt_of
        self._passes = count(1)

    def on_pass_begin(self, key: ObjectKey, *, waited: timedelta) -> None:  # noqa: ARG002 - ports.Observer
        """The lines of this task are this pass's from now on."""
        _context.set(PassContext(key=key, pass_id=f"{next(self._passes):x}", attempt=self._attempt_of(key)))

    def on_pass_end(self, key: ObjectKey, *, took: timedelta, error: Exception | None) -> None:  # noqa: ARG002 - as above
        """They are no pass's any more: who drives passes step by step has one task for all."""
        _context.set(None)


def redact(text: str) -> str:
    """The text without what looks like a secret; long texts are cut."""
    if len(text) > MAX_CHARACTERS:
        text = f"{text[:MAX_CHARACTERS]}… ({len(text):,} characters)"
    for pattern in _SECRETS:
        text = pattern.sub(_hide, text)
    return text


def _hide(found: re.Match[str]) -> str:
    value = found.groupdict().get("value")
    if value is None:
        return _HIDDEN
    start = found.start("value") - found.start()
    return found.group()[:start] + _HIDDEN


class JsonFormatter(logging.Formatter):
    """One object a line: time, level, logger, message; in a pass also kind, namespace, name, attempt, pass."""

    def format(self, record: logging.LogRecord) -> str:
        """Line breaks of the message are escaped by JSON, so no message can pretend to be a line of its own."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        context = _context.get()
        if context is not None:
            line |= {"kind": context.key.kind, "namespace": context.key.namespace, "name": context.key.name}
            line |= {"pass": context.pass_id} | ({} if context.attempt is None else {"attempt": context.attempt})
        if record.exc_info:
            line["exception"] = redact(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """The same for people at a terminal."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """With the job in brackets at the end."""
        context = _context.get()
        where = "" if context is None else f" [{context.key.kind} {context.key.namespace}/{context.key.name}]"
        return redact(super().format(record)) + where


def set_up_logs(*, level: str, form: Literal["json", "text"], stream: TextIO | None = None) -> None:
    """Log to `stream` (standard error), and nowhere else. Units: level as in OperatorSettings."""
    handler = logging.StreamHandler(stream if stream is not None else sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Kopf tells of every object and of every retry of every stream; what matters of it shows in the probes and in ours.
    for name in ("kopf", "aiohttp", "asyncio"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("kopf._cogs.clients").setLevel(logging.CRITICAL)
