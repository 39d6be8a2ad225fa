"""A whole cluster with Trivium installed by Helm, and a tenant's namespace in it."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from testcluster.containerd import ENVIRONMENT_RUNTIME
from testcluster.control_plane import Plane
from testcluster.full_cluster import Cluster, existing_cluster, full_cluster
from testcluster.images import PYTHON_BASE
from testcluster.product_image import OPERATOR, operator_image
from testcluster.programs import binary

CHART = Path(__file__).parents[3] / "charts" / "trivium"
TENANT = "research"
RAY_VERSION = "2.60.0"
Object = dict[str, Any]


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Everything is ready but Trivium: the cluster that KUBECONFIG names, else a new one."""
    if given := os.environ.get("KUBECONFIG"):
        yield existing_cluster(Path(given))
        return
    # Not pytest's folder: the path of a socket is limited.
    folder = Path(tempfile.mkdtemp(prefix="trivium-full-"))
    with full_cluster(folder) as running:
        yield running


@pytest.fixture(scope="session")
def installed(cluster: Cluster) -> Plane:
    """Trivium, from the image of this checkout; returns when both replicas are ready."""
    cluster.import_image(operator_image())
    repository, tag = OPERATOR.split(":")
    values = [f"image.repository={repository}", f"image.tag={tag}", "progress.enabled=true"]
    command = [
        binary("helm"),
        "upgrade",
        "--install",
        "trivium",
        CHART,
        "--namespace",
        "trivium-system",
        "--create-namespace",
    ]
    command += ["--wait", "--timeout", "180s", *(word for value in values for word in ("--set", value))]
    environment = {**os.environ, "KUBECONFIG": str(cluster.plane.kubeconfig)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    pods = cluster.plane.kubectl("get", "pods", "-n", "trivium-system", "-o", "wide")
    assert done.returncode == 0, f"{done.stderr}\n{pods}"
    return cluster.plane


@pytest.fixture(scope="session")
def claims() -> Iterator[Path]:
    """The folder of this machine that the tenant's claims show: `runs` and `demo-data`, writable for any user."""
    folder = Path(tempfile.mkdtemp(prefix="trivium-claims-"))
    for name in ("runs", "demo-data"):
        (folder / name).mkdir()
        (folder / name).chmod(0o777)
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def tenant(installed: Plane, claims: Path) -> Iterator[str]:
    """A namespace under the restricted Pod Security Standard, with its claims and a profile for this small machine.

    Removed with its volumes, so that the tests can run again on the cluster of `make cluster`.
    """
    installed.apply(
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": TENANT, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
        }
    )
    volumes = [one for name in ("runs", "demo-data") for one in _claim(name, claims / name)]
    installed.apply(*volumes, _profile())
    yield TENANT
    installed.kubectl("delete", "namespace", TENANT, "--timeout=120s")
    names = [one["metadata"]["name"] for one in volumes if one["kind"] == "PersistentVolume"]
    installed.kubectl("delete", "persistentvolume", *names)


def _profile() -> Object:
    return {
        "apiVersion": "trivium.dev/v1alpha1",
        "kind": "ComputeProfile",
        "metadata": {"name": "tiny"},
        "spec": {
            "default": True,
            "image": PYTHON_BASE,
            "rayVersion": RAY_VERSION,
            "storage": {"runs": {"claimName": "runs"}},
            "head": {"cpu": "200m", "memory": "3Gi"},
            "worker": {"cpu": "500m", "memory": "4Gi"},
            "pod": {"runtimeClassName": ENVIRONMENT_RUNTIME},
        },
    }


def _claim(name: str, folder: Path) -> tuple[Object, Object]:
    """A volume of a folder of the node, and the claim on it: a claim is allowed where a hostPath volume is not."""
    size = {"storage": "10Gi"}
    settings = {"accessModes": ["ReadWriteMany"], "storageClassName": ""}
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"{TENANT}-{name}"},
        "spec": {**settings, "capacity": size, "hostPath": {"path": str(folder)}},
    }
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": TENANT},
        "spec": {**settings, "resources": {"requests": size}, "volumeName": f"{TENANT}-{name}"},
    }
    return volume, claim
