"""What the driver's tests share: a Ray cluster that outlives a test, runs of the entrypoint, a progress receiver."""

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from trivium_trainer.config import RunConfig
from trivium_trainer.failure import RECORD_PREFIX, EndRecord
from trivium_trainer.layout import StageDirectory, run_directory

TOY = Path(__file__).with_name("toy_recipe_driver.py")
PATIENCE_SECONDS = 170
RAY_TOKEN = secrets.token_hex(32)

CLUSTER_PROGRAM = """
import logging, sys, ray
context = ray.init(address="local", num_cpus=4, include_dashboard=False, object_store_memory=80 << 20,
                   _temp_dir=sys.argv[1], logging_level=logging.ERROR)
print(context.address_info["gcs_address"], flush=True)
sys.stdin.read()
ray.shutdown()
"""


@dataclass
class Cluster:
    """A Ray cluster in processes of its own; `mount_root` is what its workers see as `/`."""

    mount_root: Path
    temp_dir: Path
    process: subprocess.Popen = field(init=False)
    address: str = field(init=False)

    def __enter__(self):
        # Ray gives up when its own processes need more than 30 s, which a busy machine may.
        for _ in range(3):
            self._start()
            if self.address:
                return self
            self.__exit__()
        raise RuntimeError("no Ray cluster")

    def _start(self):
        environment = {**driver_environment(self.mount_root), "RAY_ADDRESS": ""}
        self.process = subprocess.Popen(
            [sys.executable, "-c", CLUSTER_PROGRAM, str(self.temp_dir)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.address = self.process.stdout.readline().strip()

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(timeout=60)
        self.process.stdout.close()


def driver_environment(mount_root):
    from trivium_trainer.config import LIBRARY_SETTINGS

    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "TRIVIUM_"))}
    return {
        **inherited,
        **LIBRARY_SETTINGS,
        "TRIVIUM_MOUNT_ROOT": str(mount_root),
        "OMP_NUM_THREADS": "1",
        "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
        "RAY_prestart_worker_first_driver": "0",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": RAY_TOKEN,
    }


def build_config(name, **changes):
    raw = {
        "job": {"kind": "SFTJob", "namespace": "default", "name": name, "uid": f"uid-{name}", "specDigest": "sha256:1"},
        "stage": "train",
        "recipe": "sft",
        "runs": "/runs",
        "model": {"source": {"path": "/model"}},
        "data": {"train": [{"name": "train[0]", "source": {"path": "/data"}}]},
        "optimization": {"totalSteps": 6, "globalBatchSize": 2, "learningRate": 1e-3},
        "parallelism": {
            "workers": 2,
            "cpusPerRank": 0.5,
            "sizes": [{"worldSize": 2, "microBatchSize": 1, "gradientAccumulation": 1}],
        },
        **changes,
    }
    return RunConfig.model_validate(raw)


@dataclass
class Run:
    """One driver process."""

    config: RunConfig
    process: subprocess.Popen
    mount_root: Path

    def wait(self):
        """(exit code, the record of the last log line, the whole log)"""
        output, _ = self.process.communicate(timeout=PATIENCE_SECONDS)
        last = output.rstrip().splitlines()[-1]
        assert last.startswith(RECORD_PREFIX), output
        return self.process.returncode, EndRecord.model_validate_json(last.removeprefix(RECORD_PREFIX)), output

    @property
    def stage(self) -> StageDirectory:
        root = run_directory(self.config).root.relative_to("/")
        return StageDirectory(self.mount_root / root / self.config.stage)

    def ledger(self, kind):
        return [line for line in map(json.loads, self.stage.ledger.read_text().splitlines()) if line["kind"] == kind]

    def report_lines(self, kind):
        return [
            line for line in map(json.loads, self.stage.report_data.read_text().splitlines()) if line["kind"] == kind
        ]


def start_entrypoint(config, mount_root, *, address, behavior="well", settings=None):
    """Start the entrypoint as its own process; the caller waits for it."""
    path = mount_root / f"{config.job.name}-{config.stage}.json"
    path.write_text(config.model_dump_json(by_alias=True, exclude_none=True))
    wanted = {**driver_environment(mount_root), "RAY_ADDRESS": address, **(settings or {})}
    environment = {name: value for name, value in wanted.items() if value is not None}
    process = subprocess.Popen(
        [sys.executable, str(TOY), behavior, "run", "--config", f"/{path.name}"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return Run(config=config, process=process, mount_root=mount_root)


@dataclass
class Receiver:
    """A progress endpoint on loopback. `answer(report)` gives (status, JSON) for each report."""

    answer: object = None
    port: int = 0
    reports: list = field(default_factory=list)
    tokens: list = field(default_factory=list)

    def __enter__(self):
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                report = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                receiver.tokens.append(self.headers.get("Authorization"))
                receiver.reports.append(report)
                default = (200, {"attempt": 1, "remainingRestarts": 0})
                status, body = receiver.answer(report) if receiver.answer else default
                payload = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def progress(self, interval=0.2):
        return {"url": f"http://127.0.0.1:{self.port}/report", "intervalSeconds": interval}

    def ends(self):
        return [report["end"] for report in self.reports if "end" in report]


@pytest.fixture(scope="session")
def temp_dir():
    """A folder for Ray with a short path: its sockets live below it, and a socket's path ends at 107 characters."""
    folder = Path(tempfile.mkdtemp(prefix="tr", dir="/tmp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory, temp_dir):
    with Cluster(mount_root=tmp_path_factory.mktemp("root"), temp_dir=temp_dir) as cluster:
        yield cluster


@pytest.fixture
def driver_variables():
    """The environment of Ray's processes and of the driver, for a mount root."""
    return driver_environment


@pytest.fixture
def run_config():
    return build_config


@pytest.fixture
def start_driver():
    """As start_entrypoint; what a failed test leaves running is killed."""
    runs = []

    def start(*args, **kwargs):
        runs.append(start_entrypoint(*args, **kwargs))
        return runs[-1]

    yield start
    for run in runs:
        if run.process.poll() is None:
            run.process.kill()
            run.process.wait()
        run.process.stdout.close()


@pytest.fixture
def receiver():
    """The class: each test opens its own."""
    return Receiver
