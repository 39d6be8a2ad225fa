"""Observers in a row, and the attempt that log lines name."""

from datetime import timedelta

from trivium.api.status import JobStatus
from trivium.handlers.observers import Observers, last_attempt_of
from trivium.ports import ObjectKey, Observer
from trivium.store import Store

KEY = ObjectKey(kind="SFTJob", namespace="team", name="a")


class Notes(Observer):
    def __init__(self, name, told):
        self.name, self.told = name, told

    def on_pass_begin(self, key, *, waited):
        self.told.append((self.name, "begin", key, waited))

    def on_pass_end(self, key, *, took, error):
        self.told.append((self.name, "end", key, took, error))

    def on_status(self, key, *, old, new):
        self.told.append((self.name, "status", key, old, new))


def test_each_is_told_and_the_first_is_the_last_to_hear_of_the_end():
    told, error, second = [], ValueError(), timedelta(seconds=1)
    observers = Observers(Notes("a", told), Notes("b", told))
    old, new = JobStatus(), JobStatus(message="x")
    observers.on_pass_begin(KEY, waited=second)
    observers.on_status(KEY, old=old, new=new)
    observers.on_pass_end(KEY, took=second, error=error)
    assert told == [
        ("a", "begin", KEY, second),
        ("b", "begin", KEY, second),
        ("a", "status", KEY, old, new),
        ("b", "status", KEY, old, new),
        ("b", "end", KEY, second, error),
        ("a", "end", KEY, second, error),
    ]


def test_the_last_attempt_is_read_from_the_store():
    store = Store()
    job = {
        "kind": "SFTJob",
        "metadata": {"name": "a", "namespace": "team", "uid": "u", "resourceVersion": "1"},
        "spec": {},
    }
    assert last_attempt_of(store, KEY) is None
    store.apply_event("ADDED", job)
    assert last_attempt_of(store, KEY) is None
    attempts = {"attempts": [{"number": 3}, {"number": 4}]}
    store.apply_event("MODIFIED", {**job, "metadata": {**job["metadata"], "resourceVersion": "2"}, "status": attempts})
    assert last_attempt_of(store, KEY) == 4
