"""The store on disk: whatever write a kill interrupts, the next start reads the state before it or after it."""

import json
import os
from pathlib import Path

import pytest

from trivium.local import snapshots
from trivium.local.snapshots import Snapshots, read_objects, replace_file
from trivium.ports import ObjectKey

KEY = ObjectKey(kind="SFTJob", namespace="default", name="a")


class Killed(BaseException):
    """Stands for SIGKILL: no handler of the product may catch it."""


def manifest(version: int, value: str) -> dict:
    metadata = {"name": "a", "namespace": "default", "resourceVersion": str(version)}
    return {"apiVersion": "v1", "kind": "SFTJob", "metadata": metadata, "value": value}


def test_what_was_written_is_read(tmp_path: Path) -> None:
    Snapshots(tmp_path).write(KEY, manifest(7, "x"))
    assert Snapshots(tmp_path).load() == ([manifest(7, "x")], 7)


def test_a_removed_object_is_gone_and_its_revision_is_not_given_out_again(tmp_path: Path) -> None:
    journal = Snapshots(tmp_path)
    journal.write(KEY, manifest(7, "x"))
    journal.remove(KEY, revision=8)
    assert Snapshots(tmp_path).load() == ([], 8)


def test_cluster_scoped_objects_have_a_place(tmp_path: Path) -> None:
    profile = {"kind": "ComputeProfile", "metadata": {"name": "local", "resourceVersion": "1"}}
    Snapshots(tmp_path).write(ObjectKey(kind="ComputeProfile", namespace="", name="local"), profile)
    assert Snapshots(tmp_path).load() == ([profile], 1)


@pytest.mark.parametrize("system_call", ["fsync", "replace"])
def test_a_kill_at_any_system_call_leaves_the_old_or_the_new_object(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system_call: str
) -> None:
    """The calls of a write in order: fsync of the file, rename, fsync of the folder; each is cut once."""
    seen = set()
    calls_of_a_write = {"fsync": 2, "replace": 1}[system_call]
    for cut in range(calls_of_a_write):
        folder = tmp_path / str(cut)
        Snapshots(folder).write(KEY, manifest(1, "old"))
        calls = 0

        def killing(*_arguments, at: int = cut) -> None:
            nonlocal calls
            calls += 1
            if calls > at:
                raise Killed

        with monkeypatch.context() as patch:
            if system_call == "fsync":
                patch.setattr(snapshots.os, "fsync", killing)
            else:
                patch.setattr(Path, "replace", killing)
            with pytest.raises(Killed):
                Snapshots(folder).write(KEY, manifest(2, "new"))
        objects, revision = Snapshots(folder).load()
        (found,) = objects
        assert (found["value"], revision) in {("old", 1), ("new", 2)}
        assert [path.suffix for path in folder.rglob("*") if path.is_file()] == [".json"]  # nothing torn stays
        seen.add(found["value"])
    assert seen == ({"old", "new"} if system_call == "fsync" else {"old"})


def test_a_file_that_is_not_ours_is_named_with_a_way_out(tmp_path: Path) -> None:
    Snapshots(tmp_path).write(KEY, manifest(1, "x"))
    (tmp_path / "SFTJob" / "default" / "a.json").write_text("{")
    with pytest.raises(ValueError, match=r"a\.json: not a JSON object\. Restore it, or remove it"):
        Snapshots(tmp_path).load()


def test_a_reader_beside_the_writer_sees_whole_objects_only(tmp_path: Path) -> None:
    Snapshots(tmp_path).write(KEY, manifest(1, "x"))
    (tmp_path / "SFTJob" / "default" / "b.json.tmp").write_text("{")
    assert read_objects(tmp_path, "SFTJob") == [manifest(1, "x")]
    assert read_objects(tmp_path, "RayJob") == []


def test_a_replaced_file_is_flushed_before_it_gets_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    real_fsync, real_replace = os.fsync, Path.replace
    monkeypatch.setattr(snapshots.os, "fsync", lambda fd: (order.append("fsync"), real_fsync(fd)))
    monkeypatch.setattr(Path, "replace", lambda self, to: (order.append("rename"), real_replace(self, to))[1])
    replace_file(tmp_path / "x", json.dumps({}))
    assert order == ["fsync", "rename", "fsync"]
