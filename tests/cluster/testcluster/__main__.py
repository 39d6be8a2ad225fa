"""`make cluster` and `make cluster-down`: a cluster that stays until somebody ends it."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from testcluster.full_cluster import cgroup_name, check_machine, full_cluster, remove_rest
from testcluster.processes import StartError
from testcluster.programs import MissingToolError, binary

STATE = Path(tempfile.gettempdir()) / "trivium-cluster"
"""One cluster a machine is left running: its folder, beside which lies who holds it."""
HOLDER = STATE.with_suffix(".pid")
LOG = STATE.with_suffix(".log")


def main(command: str) -> int:
    """`up`, `down`, or `hold`, which is `up`'s child. The exit code."""
    actions = {"up": _up, "down": _down, "hold": _hold}
    try:
        actions[command]()
    except (MissingToolError, StartError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _up() -> None:
    if os.environ.get("KUBECONFIG"):
        print(f"KUBECONFIG is set, so that cluster is used: {os.environ['KUBECONFIG']}. Unset it to start one here.")
        return
    check_machine()
    if _holder_pid() is None:
        _down()
        _start_holder()
    seconds = json.loads((STATE / "ready.json").read_text())
    print(f"Ready after {max(seconds.values()):.0f} s. Try:\n")
    print(f"  export KUBECONFIG={STATE / 'plane' / 'admin.kubeconfig'} PATH=$PATH:{_kubectl_folder()}")
    print("  kubectl get nodes,pods --all-namespaces\n")
    print("`make cluster-down` ends it.")


def _start_holder() -> None:
    """Raises StartError."""
    with LOG.open("wb") as log:
        command = [sys.executable, "-m", "testcluster", "hold"]
        holder = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
    while not (STATE / "ready.json").exists():
        if holder.poll() is not None:
            raise StartError(LOG.read_text(errors="replace").strip())
        time.sleep(0.1)


def _hold() -> None:
    """Keep a cluster until SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    HOLDER.write_text(str(os.getpid()))
    try:
        with full_cluster(STATE):
            while True:
                signal.pause()
    finally:
        HOLDER.unlink(missing_ok=True)


def _down() -> None:
    """End it, and clean up after one whose holder was killed."""
    pid = _holder_pid()
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
        while _holder_pid() is not None:
            time.sleep(0.1)
    elif HOLDER.exists():
        remove_rest(STATE, cgroup=cgroup_name(int(HOLDER.read_text())))
        HOLDER.unlink()


def _holder_pid() -> int | None:
    """None when nobody holds a cluster."""
    if not HOLDER.exists():
        return None
    pid = int(HOLDER.read_text())
    command = Path(f"/proc/{pid}/cmdline")
    return pid if command.exists() and b"testcluster" in command.read_bytes() else None


def _kubectl_folder() -> Path:
    """A folder in which kubectl has its usual name."""
    folder = STATE / "bin"
    folder.mkdir(exist_ok=True)
    link = folder / "kubectl"
    if not link.exists():
        link.symlink_to(binary("kubectl"))
    return folder


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
