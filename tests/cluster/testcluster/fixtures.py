"""A control plane for tests: one for all of a session, others for those that break theirs. A plugin of pytest."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from testcluster.control_plane import Plane


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Plane]":
    """Shared: a test works in a namespace of its own and leaves the control plane as it was."""
    from testcluster.control_plane import control_plane  # only where one is wanted: it is a heavy import

    with control_plane(tmp_path_factory.mktemp("plane")) as running:
        yield running


@pytest.fixture
def own_plane(tmp_path: Path) -> "Iterator[Plane]":
    """For a test that kills or restarts parts of it."""
    from testcluster.control_plane import control_plane

    with control_plane(tmp_path) as running:
        yield running


@pytest.fixture
def namespace(plane: "Plane") -> str:
    """A namespace that no other test uses, labelled for the restricted Pod Security Standard."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    plane.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    return name
