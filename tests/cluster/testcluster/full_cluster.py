"""A whole cluster of one node, in namespaces of its own: one kill ends it, and nothing of it is left."""

import json
import os
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import yaml

from testcluster import containerd
from testcluster.cgroups import entering, make_cgroups, remove_cgroups
from testcluster.control_plane import Plane
from testcluster.images import ENVIRONMENT_FOLDER, PYTHON_VERSION, TRAINER_FOLDER
from testcluster.network import Link, make_link, remove_link
from testcluster.processes import Process
from testcluster.programs import MissingToolError

REPOSITORY = Path(__file__).parents[3]
_NAMESPACES = ("unshare", "--net", "--mount", "--pid", "--cgroup", "--fork", "--kill-child", "--mount-proc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A cluster that runs."""

    plane: Plane
    """As an admin, from this side of the link; its processes belong to the node's namespace."""
    seconds: dict[str, float]
    """When each part was ready, since the start."""

    def import_image(self, tar: Path) -> None:
        """Make an image known to the node. Raises MissingToolError where the node is not ours."""
        folder = self.plane.folder.parent / "containerd"
        if not containerd.socket(folder).exists():
            raise MissingToolError(
                "KUBECONFIG names a cluster that `make cluster` did not make: it can be given no image."
            )
        containerd.import_image(folder, tar)


def check_machine() -> None:
    """Raises MissingToolError in one sentence."""
    if os.geteuid() != 0:
        raise MissingToolError("A whole cluster needs root, for namespaces and containers: run it with sudo.")
    containerd.check_tools()
    if sys.version_info[:2] != PYTHON_VERSION:
        raise MissingToolError(
            "Pods use this environment's packages with Debian's Python 3.11: make the environment with PYTHON=python3.11."
        )


def existing_cluster(kubeconfig: Path) -> Cluster:
    """One that runs already, e.g. that of `make cluster`."""
    server = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]
    ca_file = Path(server.get("certificate-authority", ""))
    plane = Plane(folder=kubeconfig.parent, url=server["server"], ca_file=ca_file, kubeconfig=kubeconfig)
    return Cluster(plane=plane, seconds={})


@contextmanager
def full_cluster(folder: Path) -> Iterator[Cluster]:
    """Bring one up in `folder`, which is removed with it. Raises MissingToolError, StartError."""
    check_machine()
    folder.mkdir(parents=True, exist_ok=True)
    cgroup = cgroup_name(os.getpid())
    try:
        process = _start_node(folder, cgroup=cgroup)
        try:
            link = make_link(_child_of(process))
            _hand_over(folder, link)
            process.wait_until((folder / "ready.json").exists, seconds=300)
            cluster = existing_cluster(folder / "plane" / "admin.kubeconfig")
            yield replace(cluster, seconds=json.loads((folder / "ready.json").read_text()))
        finally:
            process.kill()
    finally:
        remove_rest(folder, cgroup=cgroup)


def cgroup_name(pid: int) -> str:
    """Of the cluster that this process holds."""
    return f"trivium-{pid}"


def remove_rest(folder: Path, *, cgroup: str) -> None:
    """What a dead cluster leaves: its end of the link, its folder, and cgroups without processes."""
    link = folder / "link.json"
    if link.exists():
        remove_link(json.loads(link.read_text())["name"])
    remove_cgroups(cgroup)
    shutil.rmtree(folder, ignore_errors=True)


def _start_node(folder: Path, *, cgroup: str) -> Process:
    mounts = {
        ENVIRONMENT_FOLDER: sysconfig.get_path("purelib"),
        TRAINER_FOLDER: str(REPOSITORY / "trainer_image" / "src"),
    }
    cgroups = make_cgroups(cgroup)
    folders = {str(one.mount): str(one.folder) for one in cgroups}
    settings = json.dumps({"folder": str(folder), "cgroups": folders, "mounts": mounts})
    python = ["/usr/bin/env", f"PYTHONPATH={Path(__file__).parents[1]}", sys.executable, "-m", "testcluster.node"]
    process = Process("node", entering(cgroups, [*_NAMESPACES, *python, settings]), folder=folder)
    process.start()
    return process


def _child_of(process: Process) -> int:
    """Process 1 of the namespace, by its id out here."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    process.wait_until(lambda: bool(children.read_text().split()))
    return int(children.read_text().split()[0])


def _hand_over(folder: Path, link: Link) -> None:
    unfinished = folder / "link.unfinished"
    unfinished.write_text(json.dumps(asdict(link)))
    unfinished.rename(folder / "link.json")
