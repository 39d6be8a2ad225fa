"""A cgroup of the cluster's own in each hierarchy, below that of whoever starts it: inside, it looks like the root.

So containers are where their programs look for them, limits of whoever starts the cluster hold for all of it, and what
is to be removed afterwards is known.
"""

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

MOUNTS = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """One tree of cgroups (version 1 has many), and which of its folders is the cluster's."""

    mount: Path
    folder: Path


def make_cgroups(name: str) -> tuple[Hierarchy, ...]:
    """Make a cgroup of this name in each hierarchy that is mounted. Needs root."""
    made = []
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, ours = line.split(":", 2)
        mount = _mount_of(controllers)
        if mount is None:
            continue
        parent = mount / ours.strip("/")
        folder = parent / name
        folder.mkdir(exist_ok=True)
        for setting in ("cpuset.cpus", "cpuset.mems"):  # version 1: no process may enter while they are empty
            if (folder / setting).exists():
                (folder / setting).write_text((parent / setting).read_text())
        made.append(Hierarchy(mount, folder))
    return tuple(made)


def entering(hierarchies: tuple[Hierarchy, ...], command: list[str]) -> list[str]:
    """A command that enters them and then becomes `command`."""
    script = 'while [ "$1" != -- ]; do echo $$ > "$1/cgroup.procs" || exit 1; shift; done; shift; exec "$@"'
    return ["/bin/sh", "-c", script, "enter", *(str(one.folder) for one in hierarchies), "--", *command]


def show_as_root(hierarchies: tuple[Hierarchy, ...]) -> None:
    """Called inside the mount and cgroup namespaces of the cluster: nobody there sees more than its own cgroups."""
    for one in hierarchies:
        subprocess.run(["mount", "--bind", str(one.folder), str(one.mount)], check=True)


def remove_cgroups(name: str) -> None:
    """Remove what `make_cgroups` made, and what containers made in it; nothing may run there any more."""
    for top in MOUNTS.rglob(name):
        for inner, _, _ in os.walk(top, topdown=False):
            _remove(Path(inner))


def _mount_of(controllers: str) -> Path | None:
    if controllers:
        mount = MOUNTS / controllers.removeprefix("name=")
        return mount if mount.is_dir() else None
    return next((path for path in (MOUNTS, MOUNTS / "unified") if (path / "cgroup.controllers").exists()), None)


def _remove(folder: Path, *, seconds: float = 10) -> None:
    """Processes that were killed just now leave their cgroup a moment later."""
    deadline = time.monotonic() + seconds
    while folder.exists():
        try:
            folder.rmdir()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
