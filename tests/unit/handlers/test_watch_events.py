"""What the watcher makes of Kopf's events. Kopf itself runs in tests/cluster/operator."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from trivium.handlers.settings import OperatorSettings
from trivium.handlers.watch import Watcher, _kopf_settings
from trivium.kube.served_kinds import LEASE, SERVED_KINDS


class _Heard:
    def __init__(self) -> None:
        self.events: list[tuple[str | None, dict[str, Any]]] = []
        self.relists = 0

    def on_relist(self) -> None:
        self.relists += 1


@pytest.fixture
async def heard() -> _Heard:
    return _Heard()


@pytest.fixture
async def watcher(heard: _Heard) -> Watcher:
    made = Watcher(
        OperatorSettings(),
        None,  # type: ignore[arg-type] # nothing is asked
        on_event=lambda kind, manifest: heard.events.append((kind, manifest)),
        on_relist=heard.on_relist,
        on_end=lambda: None,
    )
    made._loop = asyncio.get_running_loop()
    return made


async def _send(watcher: Watcher, event_type: str | None, uid: str, *, kind: str = "SFTJob") -> None:
    raw = {"metadata": {"name": uid, "uid": uid}}
    served = LEASE if kind == "Lease" else SERVED_KINDS[kind]
    await watcher._handler(served)(event={"type": event_type, "object": raw})
    await asyncio.sleep(0)  # the callback runs on this loop's next turn


async def test_an_event_arrives_as_a_whole_manifest(watcher: Watcher, heard: _Heard) -> None:
    await _send(watcher, "ADDED", "a")
    assert heard.events == [
        ("ADDED", {"metadata": {"name": "a", "uid": "a"}, "apiVersion": "trivium.dev/v1alpha1", "kind": "SFTJob"})
    ]


async def test_the_first_list_is_no_list_anew(watcher: Watcher, heard: _Heard) -> None:
    await _send(watcher, None, "a")
    await _send(watcher, None, "b")
    await _send(watcher, "MODIFIED", "a")
    assert heard.relists == 0


async def test_what_is_listed_a_second_time_means_one_list_of_our_own(watcher: Watcher, heard: _Heard) -> None:
    for uid in ("a", "b"):
        await _send(watcher, None, uid)
    for uid in ("a", "b"):
        await _send(watcher, None, uid)
    assert heard.relists == 1


async def test_an_object_that_is_made_anew_is_not_listed_anew(watcher: Watcher, heard: _Heard) -> None:
    await _send(watcher, "ADDED", "a")
    await _send(watcher, "DELETED", "a")
    await _send(watcher, None, "a")
    assert heard.relists == 0


async def test_a_lease_is_a_heartbeat_and_no_event(watcher: Watcher, heard: _Heard) -> None:
    watcher.last_event = 0.0
    await _send(watcher, "MODIFIED", "lease", kind="Lease")
    assert watcher.last_event > 0
    assert heard.events == []


def test_kopf_is_told_to_write_nothing_and_to_ask_for_ours_alone() -> None:
    ours = _kopf_settings(OperatorSettings())
    assert not ours.posting.enabled
    assert ours.peering.standalone
    assert ours.watching.label_selectors["", "v1", "pods"] == "app.kubernetes.io/managed-by=trivium"
    assert ours.watching.field_selectors["coordination.k8s.io", "v1", "leases"] == "metadata.name=trivium-operator"


def test_named_namespaces_are_watched_with_the_operators_own() -> None:
    made = Watcher(
        OperatorSettings(namespaces=("team-a",), profiles_file=Path("profiles.yaml")),
        None,  # type: ignore[arg-type] # nothing is asked
        on_event=lambda *_: None,
        on_relist=lambda: None,
        on_end=lambda: None,
    )
    assert made._watched_namespaces() == ("team-a", "trivium-system")
