"""Every command that docs/kubectl.md and docs/tenant-guide.md show is run, in their order, with the files they show.

A thread stands for the operator, KubeRay and the trainer: it follows the one field that the pages change, and says what
they would say. What needs a pod that really runs is named below, with what runs it instead.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from testcluster.programs import binary

pytestmark = pytest.mark.slow
DOCS = Path(__file__).parents[3] / "docs"
NOT_HERE = {
    "kubectl cp train.jsonl files:/data/train.jsonl": "needs a container; kubectl's own",
    "kubectl trivium report sft/my-assistant -o report.html": "needs a container: test_plugin_report.py",
}
PLAN = {
    "image": "trainer:1",
    "profile": "cpu",
    "runs": {"claimName": "runs"},
    "workers": 1,
    "zeroStage": 0,
    "globalBatchSize": 8,
    "totalSteps": 9,
}
ATTEMPT = {"number": 1, "run": 1, "stage": "train", "rayJob": "my-assistant-1", "startedAt": "2026-11-24T01:00:00Z"}


def commands(page: str) -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", (DOCS / page).read_text(), flags=re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line]


def files(page: str) -> dict[str, str]:
    """By the name in their first line."""
    blocks = re.findall(r"```yaml\n(.*?)```", (DOCS / page).read_text(), flags=re.DOTALL)
    return {block.splitlines()[0].removeprefix("# "): block for block in blocks}


class StandIn:
    """Of everything that acts on `sft/my-assistant`."""

    def __init__(self, bench) -> None:
        self._bench = bench
        self._over = threading.Event()
        self.finishing = threading.Event()
        self._thread = threading.Thread(target=self._act)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _act(self) -> None:
        said: tuple[str, int] | None = None
        while not self._over.wait(0.1):
            found = self._bench.plane.kubectl("get", "sftjobs", "-n", self._bench.namespace, "-o", "json")
            job = next((one for one in json.loads(found)["items"] if one["metadata"]["name"] == "my-assistant"), None)
            if job is None:
                said = None
                continue
            phase = "Suspended" if job["spec"].get("runPolicy", {}).get("suspend") else "Running"
            phase = "Succeeded" if self.finishing.is_set() else phase
            if said != (phase, job["metadata"]["generation"]):
                said = (phase, job["metadata"]["generation"])
                self._say(job, phase)

    def _say(self, job: dict, phase: str) -> None:
        # kubectl wait believes a condition only if it was concluded from the newest spec.
        said = {"status": "True", "reason": "Training", "observedGeneration": job["metadata"]["generation"]}
        when = {"lastTransitionTime": "2026-11-24T02:00:00Z"}
        conditions = [{"type": phase, **said, **when}] if phase != "Suspended" else []
        self._bench.set_status(
            job,
            phase=phase,
            stage="train",
            message=f"It is {phase}.",
            plan=PLAN,
            attempts=[ATTEMPT],
            conditions=conditions,
            output={"uri": "pvc://runs/model"},
        )


@pytest.fixture
def stand_in(bench) -> Iterator[StandIn]:
    running = StandIn(bench)
    yield running
    running.stop()


@pytest.fixture
def shell(bench, tmp_path: Path):
    """Runs a line where the page's reader stands: in a folder with its files, a context with the namespace."""
    config = json.loads(bench.plane.kubeconfig.read_text())
    config["contexts"][0]["context"]["namespace"] = bench.namespace
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(json.dumps(config))
    (tmp_path / "train.jsonl").write_text('{"text": "hello"}\n')
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "kubectl").symlink_to(binary("kubectl"))
    path = f"{tmp_path / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"

    def run(line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            shlex.split(line),
            env={**os.environ, "KUBECONFIG": str(kubeconfig), "PATH": path},
            cwd=tmp_path,
            input="secret\n",
            capture_output=True,
            text=True,
            check=False,
            timeout=15,
        )

    return run


def test_every_command_of_the_tenants_guide_does_what_it_says(bench, stand_in, shell, log_node, tmp_path: Path) -> None:
    shown = files("tenant-guide.md")
    for name, text in shown.items():
        (tmp_path / name).write_text(text)
    ran = 0
    for line in (one for one in commands("tenant-guide.md") if one not in NOT_HERE):
        if line.startswith("kubectl trivium logs"):
            job = bench.read("SFTJob", "my-assistant")
            bench.pod_of(job, ATTEMPT, "my-assistant-1-subm1")
            log_node.lines["my-assistant-1-subm1"] = ["2026-11-24T02:00:00.000000001Z step 1"]
        if line.startswith("kubectl wait"):
            stand_in.finishing.set()
        done = shell(line.removesuffix(" -f"))  # which would go on until the job ends
        assert done.returncode == 0, f"{line}: {done.stderr}"
        if line == "kubectl apply -f job.yaml":
            shell("kubectl wait --for=jsonpath={.status.phase}=Running sftjob/my-assistant --timeout=30s")
        ran += 1
    assert ran >= 20
    assert {"claims.yaml", "files.yaml", "job.yaml", "next.yaml"} == shown.keys()


def test_every_command_of_the_plugins_page_is_one(bench, stand_in, shell, log_node, tmp_path: Path) -> None:
    job = yaml.safe_load(files("tenant-guide.md")["job.yaml"])
    bench.make(job)
    made = bench.read("SFTJob", "my-assistant")
    bench.pod_of(made, ATTEMPT, "my-assistant-1-subm1")
    log_node.lines["my-assistant-1-subm1"] = ["2026-11-24T02:00:00.000000001Z step 1"]
    shell("kubectl wait --for=jsonpath={.status.phase}=Running sftjob/my-assistant --timeout=30s")
    ran = 0
    for line in commands("kubectl.md"):
        if line not in NOT_HERE:
            done = shell(line)
            assert done.returncode == 0, f"{line}: {done.stderr}"
            ran += 1
    assert ran >= 7


def test_what_is_left_out_is_still_shown() -> None:
    assert set(NOT_HERE) <= {*commands("tenant-guide.md"), *commands("kubectl.md")}
