"""Orders from another terminal to the process that acts on a state folder: files, each answered by a file.

A file survives what a socket does not: a path longer than 107 characters, a listener that is not up yet, a listener
that dies between reading and acting. The asker writes `<id>.order.json` and waits for `<id>.answer.json`; while it
waits it also tries the lock, so an order whose reader has ended is carried out by the asker itself.
"""

import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trivium.local.snapshots import replace_file
from trivium.local.state_folder import StateFolder, StateLock, StateLockedError

_ORDER, _ANSWER = ".order.json", ".answer.json"
_POLL_SECONDS = 0.1

Order = Mapping[str, Any]
"""`verb` and what it is about; orders.py knows the verbs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How an order ended."""

    ok: bool
    message: str


Execute = Callable[[Order], Answer]


def ask(folder: StateFolder, order: Order, *, alone: Execute) -> Answer:
    """Have an order carried out: by the process at work if there is one, else by `alone`, under the lock."""
    path = folder.requests / f"{time.time_ns():020d}-{secrets.token_hex(4)}"
    order_file, answer_file = Path(f"{path}{_ORDER}"), Path(f"{path}{_ANSWER}")
    asked = False
    try:
        while True:
            try:
                with StateLock(folder):
                    # Answered just before its reader ended, or never to be read by anyone else: the lock decides.
                    answer = _take_answer(answer_file)
                    return answer if answer is not None else alone(order)
            except StateLockedError:
                if not asked:
                    replace_file(order_file, json.dumps(order))
                    asked = True
            answer = _take_answer(answer_file)
            if answer is not None:
                return answer
            time.sleep(_POLL_SECONDS)
    finally:
        order_file.unlink(missing_ok=True)
        answer_file.unlink(missing_ok=True)


def answer_orders(folder: StateFolder, execute: Execute) -> int:
    """Carry out the orders that lie there, oldest first, and answer them; how many there were. Needs the lock."""
    count = 0
    for order_file in sorted(folder.requests.glob(f"*{_ORDER}")):
        try:
            order = json.loads(order_file.read_text())
        except FileNotFoundError:
            continue  # the asker gave up
        answer = execute(order)
        answer_file = order_file.with_name(order_file.name.replace(_ORDER, _ANSWER))
        replace_file(answer_file, json.dumps({"ok": answer.ok, "message": answer.message}))
        order_file.unlink(missing_ok=True)
        count += 1
    return count


def clear_answers(folder: StateFolder) -> None:
    """Remove what askers that were killed left behind. Needs the lock."""
    for path in folder.requests.glob(f"*{_ANSWER}"):
        path.unlink(missing_ok=True)


def _take_answer(path: Path) -> Answer | None:
    try:
        raw = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    return Answer(ok=raw["ok"], message=raw["message"])
