"""The clusters that the contract is checked on. One line here is all that another implementation needs."""

import itertools
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from trivium.kube.client import open_connection
from trivium.kube.cluster import KubeCluster
from trivium.local.admission import admit
from trivium.local.cluster import LocalCluster
from trivium.local.object_store import ObjectStore
from trivium.local.snapshots import Snapshots
from trivium.ports import Cluster

_NAMES = itertools.count(1)


def _local(folder: Path) -> Cluster:
    store = ObjectStore(
        Snapshots(folder / "objects"), clock=lambda: datetime.now(UTC), new_uid=lambda: str(uuid.uuid4()), admit=admit
    )
    return LocalCluster(store, events=folder / "events.jsonl")


@pytest.fixture(params=["local", pytest.param("kubernetes", marks=pytest.mark.slow)])
async def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Cluster]:
    if request.param == "local":
        yield _local(tmp_path)
        return
    plane = request.getfixturevalue("plane")
    async with open_connection(plane.kubeconfig) as connection:
        yield KubeCluster(connection)


@pytest.fixture
def name() -> str:
    """A name that no other test uses: a real cluster is shared."""
    return f"contract-{next(_NAMES)}-{uuid.uuid4().hex[:8]}"
