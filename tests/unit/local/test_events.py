"""The events' file: bounded, readable beside its writer."""

import json
from pathlib import Path

from trivium.local import cluster as local_cluster
from trivium.local.cluster import LocalCluster, read_events
from trivium.ports import Event, ObjectKey

REGARDING = ObjectKey(kind="SFTJob", namespace="default", name="a")


def event(number: int) -> Event:
    return Event(regarding=REGARDING, uid="u", type="Normal", reason="Planned", message=f"{number} " + "x" * 100)


async def test_events_are_read_in_their_order(tmp_path: Path) -> None:
    cluster = LocalCluster(None, events=tmp_path / "state" / "events.jsonl")
    for number in range(3):
        await cluster.emit(event(number))
    assert [one["message"][0] for one in read_events(tmp_path / "state" / "events.jsonl")] == ["0", "1", "2"]


async def test_old_events_are_forgotten(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(local_cluster, "_MAX_EVENTS", 5)
    path = tmp_path / "events.jsonl"
    cluster = LocalCluster(None, events=path)
    for number in range(200):
        await cluster.emit(event(number))
    assert read_events(path)[-1]["message"].startswith("199 ")
    assert path.stat().st_size < 2 * 5 * 1024


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text(json.dumps({"reason": "a"}) + '\n{"rea')
    assert read_events(path) == [{"reason": "a"}]
    assert read_events(tmp_path / "absent") == []
