"""Several observers as one: the log context first, so that what the others log has it."""

from datetime import timedelta

from trivium.api.status import JobStatus
from trivium.ports import ObjectKey, Observer
from trivium.store import Store


class Observers(Observer):
    """Tells each in turn; at the end of a pass in the opposite order."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def on_pass_begin(self, key: ObjectKey, *, waited: timedelta) -> None:
        """See ports.Observer."""
        for one in self._observers:
            one.on_pass_begin(key, waited=waited)

    def on_pass_end(self, key: ObjectKey, *, took: timedelta, error: Exception | None) -> None:
        """See ports.Observer."""
        for one in reversed(self._observers):
            one.on_pass_end(key, took=took, error=error)

    def on_status(self, key: ObjectKey, *, old: JobStatus, new: JobStatus) -> None:
        """See ports.Observer."""
        for one in self._observers:
            one.on_status(key, old=old, new=new)


def last_attempt_of(store: Store, key: ObjectKey) -> int | None:
    """The number of a job's last attempt; None before the first."""
    attempts = ((store.get(key) or {}).get("status") or {}).get("attempts") or ()
    return int(attempts[-1]["number"]) if attempts else None
