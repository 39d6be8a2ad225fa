"""Process 1 of the node's namespaces: it starts everything, says that all is ready, and takes all of it along when it ends.

Started by `full_cluster`; nobody else runs it.
"""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from testcluster import containerd, kubelet, network
from testcluster.addons import ADDONS, addon_image, install, wait_until_ready
from testcluster.cgroups import Hierarchy, show_as_root
from testcluster.control_plane import Plane, User, plane_for_nodes
from testcluster.images import pause_image, python_image
from testcluster.processes import Process

PROXY = User(name="system:kube-proxy")
RESOURCES = {"nvidia.com/gpu": "8", "ephemeral-storage": "100Gi"}
RUNTIME_CLASS = {
    "apiVersion": "node.k8s.io/v1",
    "kind": "RuntimeClass",
    "metadata": {"name": containerd.ENVIRONMENT_RUNTIME},
    "handler": containerd.ENVIRONMENT_RUNTIME,
}


def main(folder: Path, *, cgroups: tuple[Hierarchy, ...], mounts: dict[str, str]) -> None:
    """Bring the cluster up in `folder`, write `ready.json` with the seconds that each part took, and stay."""
    begin = time.monotonic()
    seconds: dict[str, float] = {}

    def done(what: str) -> None:
        seconds[what] = round(time.monotonic() - begin, 1)
        print(f"{seconds[what]:6.1f} s  {what}", flush=True)

    _mount_own_folders(folder)
    show_as_root(cgroups)
    address = _wait_for_link(folder)["inside"]
    network.forward_packets()
    with ThreadPoolExecutor() as pool, ExitStack() as stack:
        runtime = containerd.containerd(folder / "containerd", mounts=mounts)
        _start(runtime, stack)
        images = pool.submit(_import_images, folder / "containerd", runtime, done)
        tokens = {user: secrets.token_urlsafe(16) for user in (PROXY, User(name=kubelet.USER, groups=(kubelet.GROUP,)))}
        plane = stack.enter_context(plane_for_nodes(folder / "plane", address=address, users=list(tokens.items())))
        done("API server")
        plane.apply(RUNTIME_CLASS)
        addons = pool.submit(_install_addons, plane, folder / "addons", done)
        for process in _node_processes(plane, folder, address=address, tokens=tokens):
            _start(process, stack)
        _wait_for_node(plane, images, process)
        done("node")
        kubelet.add_resources(plane, RESOURCES)
        addons.result()
        done("addons")
        _write_whole(folder / "ready.json", json.dumps(seconds))
        _stay()


def _mount_own_folders(folder: Path) -> None:
    """What is written where container programs expect it vanishes with the namespace."""
    for name in ("upper", "work"):
        (folder / "var-lib" / name).mkdir(parents=True)
    overlay = f"lowerdir=/var/lib,upperdir={folder}/var-lib/upper,workdir={folder}/var-lib/work"
    for command in (
        ["mount", "--make-rshared", "/"],
        ["mount", "-t", "tmpfs", "tmpfs", "/run"],
        ["mount", "-t", "tmpfs", "tmpfs", "/var/log"],
        ["mount", "-t", "overlay", "-o", overlay, "overlay", "/var/lib"],
    ):
        subprocess.run(command, check=True)


def _wait_for_link(folder: Path) -> dict[str, str]:
    path = folder / "link.json"
    while not path.exists():
        time.sleep(0.01)
    link: dict[str, str] = json.loads(path.read_text())
    return link


def _start(process: Process, stack: ExitStack) -> None:
    stack.callback(process.kill)
    process.start()


def _node_processes(plane: Plane, folder: Path, *, address: str, tokens: dict[User, str]) -> tuple[Process, ...]:
    configs = {user.name: plane.kubeconfig_of(token, name=user.name) for user, token in tokens.items()}
    return (
        network.coredns(folder, kubeconfig=plane.kubeconfig, address=address),
        network.kube_proxy(folder, kubeconfig=configs[PROXY.name], node=kubelet.NODE),
        kubelet.kubelet(
            folder,
            kubeconfig=configs[kubelet.USER],
            address=address,
            containerd_folder=folder / "containerd",
        ),
    )


def _import_images(folder: Path, runtime: Process, done: Callable[[str], None]) -> None:
    """The small ones first: the controllers need them."""
    runtime.wait_until(lambda: containerd.answers(folder))
    for tar in (pause_image(), *(addon_image(addon) for addon in ADDONS), python_image()):
        containerd.import_image(folder, tar)
    done("images")


def _install_addons(plane: Plane, folder: Path, done: Callable[[str], None]) -> None:
    for addon in ADDONS:
        install(plane, addon, folder=folder / addon.name)
    done("manifests")
    for addon in ADDONS:
        wait_until_ready(plane, addon)
        done(addon.name)


def _wait_for_node(plane: Plane, images: "Future[None]", process: Process) -> None:
    process.wait_until(lambda: kubelet.node_is_ready(plane), seconds=120)
    images.result()


def _write_whole(path: Path, text: str) -> None:
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(text)
    unfinished.rename(path)


def _stay() -> None:
    """Process 1 inherits every orphan and has to bury it. Ends by SIGKILL, from outside."""
    signal.signal(signal.SIGCHLD, lambda *_: None)  # so that the pause below ends when a child does
    while True:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass
        signal.sigtimedwait([signal.SIGCHLD], 1)


if __name__ == "__main__":
    settings = json.loads(sys.argv[1])
    hierarchies = tuple(Hierarchy(Path(mount), Path(folder)) for mount, folder in settings["cgroups"].items())
    main(Path(settings["folder"]), cgroups=hierarchies, mounts=settings["mounts"])
