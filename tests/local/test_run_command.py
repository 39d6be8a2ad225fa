"""`trivium run` whole: a real Ray, a real trainer, processes killed. One tiny model; minutes on two cores."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

TRIVIUM = [sys.executable, "-c", "from trivium.cli import main; main()"]
STEPS = 4000
"""So many that no quick machine is done before the story has cut the run short three times."""
JOB = """\
apiVersion: trivium.dev/v1alpha1
kind: PretrainJob
metadata: {name: base}
spec:
  model:
    architecture:
      config: {model_type: llama, hidden_size: 32, intermediate_size: 64, num_hidden_layers: 2, num_attention_heads: 2,
               num_key_value_heads: 2, max_position_embeddings: 64, tie_word_embeddings: true}
    tokenizer: {train: {vocabSize: 400}}
  data:
    train: [{from: {volume: {claimName: corpus, path: text.txt}}}]
    maxLength: 32
  optimization: {steps: 4000, globalBatchSize: 4, learningRate: 1.0e-3}
  storage: {checkpoints: {every: {steps: 100}}}
"""


class Run:
    """One `trivium run -o json` of a folder."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [*TRIVIUM, "run", *arguments, "-o", "json", "--state", "state"],
            cwd=folder,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        self.changes: list[dict] = []

    def lines(self) -> Iterator[dict]:
        for line in self.process.stdout:
            self.changes.append(json.loads(line))
            yield self.changes[-1]

    def until(self, condition: Callable[[dict], bool]) -> dict:
        for change in self.lines():
            if condition(change):
                return change
        raise AssertionError(f"ended before: {self.changes[-3:]}")

    def end(self) -> int:
        for _ in self.lines():
            pass
        self.process.stdout.close()
        return self.process.wait(60)


def processes_of(state: Path) -> list[int]:
    """Living processes that an attempt of this state folder started: they all inherit its mount root."""
    wanted = f"TRIVIUM_MOUNT_ROOT={state}/".encode()
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and wanted in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return found


def wait_until_gone(state: Path, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while left := processes_of(state):
        assert time.monotonic() < deadline, f"still alive: {left}"
        time.sleep(0.1)


def trivium(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*TRIVIUM, *arguments, "--state", "state"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "corpus").mkdir()
    text = "\n\n".join(f"the quick brown fox number {n} jumps over {n * 7} lazy dogs and sleeps." for n in range(300))
    (tmp_path / "corpus" / "text.txt").write_text(text)
    (tmp_path / "job.yaml").write_text(JOB)
    return tmp_path


def test_a_run_survives_a_kill_a_suspension_and_an_interruption(folder: Path) -> None:
    """One story, because every start of Ray costs seconds: each chapter is a way in which a run is cut short."""
    state = folder / "state"

    killed = Run(folder, "job.yaml", "--claim", "corpus=corpus")
    killed.until(lambda change: change.get("step", 0) >= 110)
    assert processes_of(state)
    follower = Run(folder, "job.yaml")
    follower.until(lambda change: "it runs these jobs, and is followed here" in change.get("message", ""))
    seen = follower.until(lambda change: change.get("step", 0) >= 110)
    killed.process.send_signal(signal.SIGKILL)
    killed.end()

    # The follower takes over, from the checkpoint and not from the start.
    resumed = follower.until(lambda change: change.get("attempt", 0) > seen["attempt"] and change["phase"] == "Running")
    assert resumed["step"] >= 100
    order = trivium(folder, "suspend", "base")
    assert (order.returncode, order.stdout) == (0, "pretrain/base saves a checkpoint and stops.\n")
    assert follower.end() == 90
    wait_until_gone(state)

    assert trivium(folder, "resume", "pretrain/base").returncode == 0
    interrupted = Run(folder)
    interrupted.until(lambda change: change.get("phase") == "Running")
    interrupted.process.send_signal(signal.SIGINT)
    assert interrupted.end() == 130
    wait_until_gone(state)

    finished = Run(folder, "job.yaml")
    assert finished.end() == 0
    last = [change for change in finished.changes if change["type"] == "job"][-1]
    assert (last["phase"], last["step"]) == ("Succeeded", STEPS)
    assert (Path(last["output"]) / "model.safetensors").is_file()
    assert "<html" in Path(last["report"]).read_text()[:1000]
    wait_until_gone(state)

    again = Run(folder, "job.yaml")
    assert again.end() == 0
    assert again.changes[0] == {"type": "note", "message": "pretrain/base is over already; --fresh runs it anew."}
    status = json.loads(trivium(folder, "status", "base", "-o", "json").stdout)
    # The kill and the interruption cost the user nothing of the budget.
    assert status["status"]["restartBudget"].get("spent", 0) == 0
