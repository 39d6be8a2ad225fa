"""What reconcile relies on, whatever the cluster is (ports.Cluster). Covered: every call and each of its errors.

Left out on purpose: TransientError, which no cluster gives on request; admission beyond one refusal, which
tests/contract/crds proves; watches, which are not part of the port.
"""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from trivium.ports import Cluster, ConflictError, Event, Manifest, NotFoundError, ObjectKey, RefusedError

NAMESPACE = "default"


def config_map(name: str, data: dict[str, str] | None = None, owner: Manifest | None = None) -> dict:
    metadata: dict = {"name": name, "namespace": NAMESPACE, "labels": {"app.kubernetes.io/managed-by": "trivium"}}
    if owner is not None:
        reference = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"]}
        metadata["ownerReferences"] = [{**reference, "uid": owner["metadata"]["uid"], "controller": True}]
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data or {}}


def sft_job(name: str) -> dict:
    source = {"from": {"hub": {"repo": "a/b"}}}
    return {
        "apiVersion": "trivium.dev/v1alpha1",
        "kind": "SFTJob",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"model": source, "data": {"train": [source]}},
    }


def key(kind: str, name: str) -> ObjectKey:
    return ObjectKey(kind=kind, namespace=NAMESPACE, name=name)


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    """A real cluster collects garbage when it comes to it."""
    async with asyncio.timeout(60):
        while not await condition():  # noqa: ASYNC110 - the port has no watch
            await asyncio.sleep(0.1)


async def test_what_was_created_is_got(cluster: Cluster, name: str) -> None:
    created = await cluster.create(config_map(name, {"a": "b"}))
    assert created["metadata"]["uid"]
    assert created["metadata"]["resourceVersion"]
    assert await cluster.get(key("ConfigMap", name)) == created


async def test_what_is_not_there_is_none(cluster: Cluster, name: str) -> None:
    assert await cluster.get(key("ConfigMap", name)) is None


async def test_a_list_holds_what_was_created(cluster: Cluster, name: str) -> None:
    await cluster.create(config_map(name))
    assert name in [one["metadata"]["name"] for one in await cluster.list_all("ConfigMap")]


async def test_creating_twice_is_a_conflict(cluster: Cluster, name: str) -> None:
    await cluster.create(config_map(name))
    with pytest.raises(ConflictError):
        await cluster.create(config_map(name))


async def test_an_invalid_object_is_refused_with_the_field(cluster: Cluster, name: str) -> None:
    job = sft_job(name)
    job["spec"]["optimization"] = {"globalBatchSize": 0}
    with pytest.raises(RefusedError, match=r"spec.optimization.globalBatchSize"):
        await cluster.create(job)


async def test_defaults_are_stored(cluster: Cluster, name: str) -> None:
    created = await cluster.create(sft_job(name))
    assert created["spec"]["optimization"]["globalBatchSize"] == 32
    assert created["metadata"]["generation"] == 1


async def test_apply_creates_and_then_replaces_what_we_own(cluster: Cluster, name: str) -> None:
    await cluster.apply(config_map(name, {"a": "1", "b": "2"}))
    applied = await cluster.apply(config_map(name, {"a": "3"}))
    assert applied["data"] == {"a": "3"}


async def test_applying_the_same_again_is_no_write(cluster: Cluster, name: str) -> None:
    first = await cluster.apply(config_map(name, {"a": "1"}))
    again = await cluster.apply(config_map(name, {"a": "1"}))
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


async def test_a_status_is_written_by_its_own_call_only(cluster: Cluster, name: str) -> None:
    created = await cluster.create({**sft_job(name), "status": {"phase": "Succeeded"}})
    assert not created.get("status")
    written = await cluster.replace_status({**created, "status": {"phase": "Running"}})
    assert written["status"]["phase"] == "Running"
    assert written["metadata"]["generation"] == created["metadata"]["generation"]
    applied = await cluster.apply(sft_job(name))
    assert applied["status"]["phase"] == "Running"


async def test_a_status_computed_from_an_older_object_is_a_conflict(cluster: Cluster, name: str) -> None:
    created = await cluster.create(sft_job(name))
    await cluster.replace_status({**created, "status": {"phase": "Running"}})
    with pytest.raises(ConflictError):
        await cluster.replace_status({**created, "status": {"phase": "Failed"}})


async def test_a_status_of_what_is_gone_says_so(cluster: Cluster, name: str) -> None:
    created = await cluster.create(sft_job(name))
    await cluster.delete(key("SFTJob", name), uid=created["metadata"]["uid"])
    with pytest.raises(NotFoundError):
        await cluster.replace_status({**created, "status": {"phase": "Running"}})


async def test_a_successor_of_the_same_name_is_not_deleted_for_its_predecessor(cluster: Cluster, name: str) -> None:
    first = await cluster.create(config_map(name))
    await cluster.delete(key("ConfigMap", name), uid=first["metadata"]["uid"])
    second = await cluster.create(config_map(name))
    await cluster.delete(key("ConfigMap", name), uid=first["metadata"]["uid"])
    live = await cluster.get(key("ConfigMap", name))
    assert live is not None
    assert live["metadata"]["uid"] == second["metadata"]["uid"]


async def test_deleting_what_is_gone_is_done(cluster: Cluster, name: str) -> None:
    await cluster.delete(key("ConfigMap", name), uid="00000000-0000-0000-0000-000000000000")


async def test_what_an_object_owns_goes_with_it(cluster: Cluster, name: str) -> None:
    owner = await cluster.create(config_map(name))
    await cluster.create(config_map(f"{name}-child", owner=owner))
    await cluster.delete(key("ConfigMap", name), uid=owner["metadata"]["uid"])

    async def child_is_gone() -> bool:
        return await cluster.get(key("ConfigMap", f"{name}-child")) is None

    await eventually(child_is_gone)


async def test_an_event_is_taken(cluster: Cluster, name: str) -> None:
    job = await cluster.create(sft_job(name))
    event = Event(
        regarding=key("SFTJob", name),
        uid=job["metadata"]["uid"],
        type="Normal",
        reason="Planned",
        message="Stage train: 2 workers.",
    )
    await cluster.emit(event)
