"""A Ray of its own, started by hand, and a bare Ray Train script submitted to it: what one would do without Trivium."""

import json
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.comparison import Figures
from benchmarks.side_process import environment, free_port
from benchmarks.supervised import SideFailedError, supervised, tail

_ROOT = Path(__file__).parent.parent
_RAY = Path(sys.executable).with_name("ray")
_LIMIT_SECONDS = 120.0
_POLL_SECONDS = 0.05


def start_bare(task: Mapping[str, Any], folder: Path) -> Figures:
    """Seconds to the end of the first step: from `ray start`, and from `ray job submit`. Raises SideFailedError."""
    folder.mkdir(parents=True, exist_ok=True)
    result, path, log = folder / "result.json", folder / "task.json", folder / "submit.log"
    result.unlink(missing_ok=True)
    path.write_text(json.dumps({**task, "result": str(result), "storage": str(folder / "storage")}))
    began = time.time()
    with _ray(folder / "ray.log", cores=task["cores"]) as (address, variables):
        submitted = time.time()
        script = ["--", sys.executable, "-m", "benchmarks.sides.bare_ray_train", str(path)]
        with log.open("wb") as output:
            subprocess.run(
                [str(_RAY), "job", "submit", "--address", address, *script],
                env=variables,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
    if not result.exists():
        raise SideFailedError(f"the bare Ray Train script made no step:\n{tail(log)}")
    step = json.loads(result.read_text())
    return {
        "seconds": step["at"] - began,
        "submitSeconds": step["at"] - submitted,
        "firstLoss": step["firstLoss"],
    }


@contextmanager
def _ray(log: Path, *, cores: int) -> Iterator[tuple[str, dict[str, str]]]:
    """The address for `ray job submit` and the variables that go with it; every process of this Ray ends after it."""
    token = secrets.token_hex(32)
    variables = {
        **{name: value for name, value in environment(cores).items() if name not in _OF_THE_RANK},
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": token,
        "PYTHONPATH": str(_ROOT),
    }
    port = free_port()
    temporary = Path(tempfile.mkdtemp(prefix="trb-"))
    command = [str(_RAY), "start", "--head", "--block", *_arguments(port, temporary, cores=cores)]
    # `ray stop` would end every Ray of this machine; the supervisor ends this one.
    try:
        with supervised(command, environment=variables, log=log) as process:
            address = f"http://127.0.0.1:{port}"
            _wait_for_jobs_api(address, token, process, log)
            yield address, variables
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


# Ray Train gives its worker these.
_OF_THE_RANK = {"RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}


def _arguments(dashboard_port: int, temporary: Path, *, cores: int) -> list[str]:
    """Ports of its own: several Rays run side by side on a machine."""
    own = ("dashboard-agent-listen-port", "dashboard-agent-grpc-port", "metrics-export-port", "ray-client-server-port")
    chosen = ("port", "min-worker-port", "max-worker-port")  # 0: Ray chooses
    return [
        "--node-ip-address=127.0.0.1",
        f"--num-cpus={cores}",
        f"--temp-dir={temporary}",
        f"--dashboard-port={dashboard_port}",
        "--disable-usage-stats",
        *(f"--{name}={free_port()}" for name in own),
        *(f"--{name}=0" for name in chosen),
    ]


def _wait_for_jobs_api(address: str, token: str, process: subprocess.Popen[bytes], log: Path) -> None:
    request = urllib.request.Request(f"{address}/api/jobs/", headers={"Authorization": f"Bearer {token}"})
    deadline = time.monotonic() + _LIMIT_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(request, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(_POLL_SECONDS)
    raise SideFailedError(f"ray start did not come up:\n{tail(log)}")
