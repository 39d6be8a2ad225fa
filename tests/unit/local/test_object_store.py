"""The API server's rules that reconcile relies on, one by one, and as properties over random histories."""

import itertools
from collections.abc import Iterable
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivium.local.object_store import Change, ObjectStore
from trivium.ports import ConflictError, NotFoundError, ObjectKey, RefusedError


class MemoryJournal:
    """A journal that can be read back, as a restart would."""

    def __init__(self) -> None:
        self.objects: dict[ObjectKey, dict] = {}
        self.revision = 0

    def load(self) -> tuple[Iterable[dict], int]:
        return list(self.objects.values()), self.revision

    def write(self, key: ObjectKey, manifest: dict) -> None:
        self.objects[key] = manifest
        self.revision = int(manifest["metadata"]["resourceVersion"])

    def remove(self, key: ObjectKey, *, revision: int) -> None:
        del self.objects[key]
        self.revision = revision


def new_store(journal: MemoryJournal | None = None, **options) -> ObjectStore:
    uids = itertools.count(1)
    return ObjectStore(
        journal or MemoryJournal(),
        clock=lambda: datetime(2026, 11, 23, 12, tzinfo=UTC),
        new_uid=lambda: f"uid-{next(uids)}",
        **options,
    )


def job(name: str = "a", **spec) -> dict:
    return {
        "apiVersion": "trivium.dev/v1alpha1",
        "kind": "SFTJob",
        "metadata": {"name": name, "namespace": "default"},
        "spec": spec,
    }


def child(owner: dict, name: str, kind: str = "RayJob") -> dict:
    reference = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"]}
    return {
        "apiVersion": "ray.io/v1",
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": "default",
            "ownerReferences": [{**reference, "uid": owner["metadata"]["uid"], "controller": True}],
        },
        "spec": {},
    }


KEY = ObjectKey(kind="SFTJob", namespace="default", name="a")


def test_a_created_object_gets_uid_version_generation_and_time() -> None:
    created = new_store().create(job(x=1))
    assert created["metadata"] == {
        "name": "a",
        "namespace": "default",
        "uid": "uid-1",
        "resourceVersion": "1",
        "generation": 1,
        "creationTimestamp": "2026-11-23T12:00:00Z",
    }


def test_a_taken_name_is_a_conflict() -> None:
    store = new_store()
    store.create(job())
    with pytest.raises(ConflictError, match="default/a exists already"):
        store.create(job())


def test_a_created_object_has_no_status_where_status_is_a_subresource() -> None:
    created = new_store().create({**job(), "status": {"phase": "Succeeded"}})
    assert "status" not in created


def test_generation_moves_with_spec_and_with_nothing_else() -> None:
    store = new_store()
    created = store.create(job(x=1))
    created["status"] = {"phase": "Running"}
    assert store.replace_status(created)["metadata"]["generation"] == 1
    labelled = job(x=1)
    labelled["metadata"]["labels"] = {"team": "a"}
    assert store.apply(labelled, manager="m")["metadata"]["generation"] == 1
    assert store.apply(job(x=2), manager="m")["metadata"]["generation"] == 2


def test_a_status_write_changes_status_only() -> None:
    store = new_store()
    created = store.create(job(x=1))
    created["spec"]["x"] = 2
    created["metadata"]["labels"] = {"stolen": "yes"}
    created["status"] = {"phase": "Running"}
    written = store.replace_status(created)
    assert written["spec"] == {"x": 1}
    assert "labels" not in written["metadata"]
    assert written["status"] == {"phase": "Running"}


def test_a_stale_status_write_is_a_conflict() -> None:
    store = new_store()
    first = store.create(job())
    store.replace_status({**first, "status": {"phase": "Running"}})
    with pytest.raises(ConflictError, match="resourceVersion"):
        store.replace_status({**first, "status": {"phase": "Failed"}})


def test_a_status_write_to_a_successor_of_the_same_name_is_a_conflict() -> None:
    store = new_store()
    first = store.create(job())
    store.delete(KEY)
    store.create(job())
    del first["metadata"]["resourceVersion"]
    with pytest.raises(ConflictError, match="uid"):
        store.replace_status({**first, "status": {"phase": "Failed"}})


def test_a_status_write_to_nothing_says_so() -> None:
    with pytest.raises(NotFoundError):
        new_store().replace_status(job())


def test_a_write_that_changes_nothing_is_no_write() -> None:
    store = new_store()
    heard: list[Change] = []
    store.apply(job(x=1), manager="m")
    store.watch(heard.append)
    live = store.apply(job(x=1), manager="m")
    assert store.replace_status(live)["metadata"]["resourceVersion"] == "1"
    assert heard == []


def test_an_apply_removes_what_its_manager_no_longer_says_and_leaves_the_rest() -> None:
    store = new_store()
    store.apply(job(mine={"a": 1, "b": 2}), manager="m")
    store.apply(job(theirs=3), manager="other")
    assert store.apply(job(mine={"a": 1}), manager="m")["spec"] == {"mine": {"a": 1}, "theirs": 3}


def test_a_field_that_two_managers_say_stays_until_both_are_silent() -> None:
    store = new_store()
    store.apply(job(x=1), manager="m")
    store.apply(job(x=1), manager="other")
    assert store.apply(job(), manager="m")["spec"] == {"x": 1}
    assert "x" not in store.apply(job(), manager="other").get("spec", {})


def test_a_forced_apply_takes_the_field_from_its_owner() -> None:
    store = new_store()
    store.apply(job(x=1), manager="m")
    assert store.apply(job(x=2), manager="other")["spec"] == {"x": 2}
    assert store.apply(job(), manager="m")["spec"] == {"x": 2}


def test_lists_are_replaced_as_a_whole() -> None:
    store = new_store()
    store.apply(job(x=[1, 2]), manager="m")
    assert store.apply(job(x=[3]), manager="m")["spec"] == {"x": [3]}


def test_admission_sees_old_and_new_and_its_answer_is_stored() -> None:
    seen = []

    def admit(old, new):
        seen.append((old and old["spec"], dict(new["spec"])))
        return {**new, "spec": {**new["spec"], "default": True}}

    store = new_store(admit=admit)
    assert store.apply(job(x=1), manager="m")["spec"] == {"x": 1, "default": True}
    store.apply(job(x=2), manager="m")
    assert seen == [(None, {"x": 1}), ({"x": 1, "default": True}, {"x": 2, "default": True})]


def test_a_refused_object_leaves_no_trace() -> None:
    def admit(_old, _new):
        raise RefusedError("no")

    journal = MemoryJournal()
    with pytest.raises(RefusedError):
        new_store(journal, admit=admit).create(job())
    assert journal.objects == {}


def test_deletion_respects_the_uid_and_counts_absence_as_done() -> None:
    store = new_store()
    store.create(job())
    store.delete(KEY, uid="another")
    assert store.get(KEY) is not None
    store.delete(KEY, uid="uid-1")
    store.delete(KEY, uid="uid-1")
    assert store.get(KEY) is None


def test_deletion_takes_the_children_of_the_children_along() -> None:
    store = new_store()
    ray_job = store.create(child(store.create(job()), "run"))
    store.create(child(ray_job, "cluster", kind="RayCluster"))
    store.delete(KEY)
    assert store.list_all("RayJob") == store.list_all("RayCluster") == []


def test_a_child_stays_while_one_of_its_owners_does() -> None:
    store = new_store()
    shared = child(store.create(job("a")), "shared")
    shared["metadata"]["ownerReferences"] += child(store.create(job("b")), "x")["metadata"]["ownerReferences"]
    store.create(shared)
    store.delete(KEY)
    assert len(store.list_all("RayJob")) == 1


def test_children_that_a_crash_left_behind_are_collected_at_the_next_start() -> None:
    journal = MemoryJournal()
    store = new_store(journal)
    store.create(child(store.create(job()), "run"))
    journal.remove(KEY, revision=3)  # the process died before it came to the child
    assert new_store(journal).list_all("RayJob") == []


def test_watchers_hear_every_change_in_order_also_those_that_a_watcher_makes() -> None:
    store = new_store()
    heard: list[tuple[str, str]] = []

    def first(change: Change) -> None:
        if change.manifest["metadata"]["name"] == "a" and change.type == "ADDED":
            store.create(job("b"))

    store.watch(first)
    store.watch(lambda change: heard.append((change.type, change.manifest["metadata"]["name"])))
    store.create(job("a"))
    assert heard == [("ADDED", "a"), ("ADDED", "b")]


def test_what_is_handed_out_is_a_copy() -> None:
    store = new_store()
    store.create(job(x=[1]))["spec"]["x"].append(2)
    store.list_all("SFTJob")[0]["spec"]["x"].append(3)
    store.get(KEY)["spec"]["x"].append(4)
    assert store.get(KEY)["spec"] == {"x": [1]}


@pytest.mark.parametrize("field", ["apiVersion", "kind", "metadata"])
def test_an_object_without_an_address_is_refused(field: str) -> None:
    manifest = job()
    del manifest[field]
    with pytest.raises(RefusedError):
        new_store().create(manifest)


OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["apply", "status", "delete", "restart"]), st.sampled_from("ab"), st.integers(0, 2)),
    max_size=30,
)


@given(OPERATIONS)
@settings(deadline=None, max_examples=60)
def test_versions_only_grow_and_a_restart_changes_nothing(operations) -> None:
    journal = MemoryJournal()
    store, heard = new_store(journal), []
    store.watch(heard.append)
    for verb, name, value in operations:
        key = ObjectKey(kind="SFTJob", namespace="default", name=name)
        live = store.get(key)
        match verb:
            case "apply":
                store.apply(job(name, x=value), manager="m")
            case "status" if live is not None:
                store.replace_status({**live, "status": {"x": value}})
            case "delete":
                store.delete(key)
            case "restart":
                before = store.list_all("SFTJob")
                store = new_store(journal)
                store.watch(heard.append)
                assert store.list_all("SFTJob") == before
    versions = [int(change.manifest["metadata"]["resourceVersion"]) for change in heard]
    assert versions == sorted(set(versions))
