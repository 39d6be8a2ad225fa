"""One rank of a process group: runs the scenarios of jobs.json one after another. Started by conftest.Lab."""

import json
import os
import signal
import sys
import traceback
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist

from trivium_trainer.config import RunConfig
from trivium_trainer.failure import StopRequested, TrainingError
from trivium_trainer.recipes import train_worker


class RecordingSession:
    """Keeps what a recipe says; stops or dies where the scenario says so."""

    def __init__(self, rank, world_size, options):
        self.rank, self.world_size, self.local_rank = rank, world_size, rank
        self.options = options
        self.lines, self.beats, self.state = [], [], {}

    def beat(self, activity):
        self.beats.append(activity)
        if self.options.get("kill_at_save") == self.beats.count("save") and activity == "save":
            # Let the save begin: die when the first of its files is there.
            watch_and_die(Path(self.options["watch"]))

    def progress(self, **fields):
        self.state |= fields
        if self.options.get("kill_after_step", -1) == fields.get("step") and self.rank == self.world_size - 1:
            os.kill(os.getpid(), signal.SIGKILL)

    def write(self, line):
        if self.rank == 0:
            self.lines.append(line.model_dump(mode="json"))

    def stop_requested(self):
        return self.state.get("step", 0) + 1 >= self.options.get("stop_in_step", 10**9)

    def save_requested(self):
        return False


def watch_and_die(folder):
    """Kill this process as soon as `folder` holds a file: in the middle of a checkpoint."""
    import threading

    def wait():
        while not any(path.is_file() for path in folder.rglob("*")):
            pass
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=wait, daemon=True).start()


def run(job, rank, world_size):
    session = RecordingSession(rank, world_size, job["options"])
    if "truncate" in job["options"] and rank == 0:
        damaged = Path(job["options"]["truncate"])
        os.truncate(damaged, damaged.stat().st_size - 1)
    result = {"outcome": "complete"}
    try:
        train_worker(RunConfig.model_validate(job["config"]), session)
    except StopRequested as stopped:
        result = {"outcome": "stopped", "step": stopped.step}
    except TrainingError as error:
        result = {
            "outcome": "failed",
            "reason": error.reason,
            "class": error.failure_class.value,
            "message": error.message,
            "failure": error.to_failure().model_dump(mode="json"),
        }
    except Exception:  # noqa: BLE001  the test shows it, whatever it is
        result = {"outcome": "broken", "error": traceback.format_exc()}
    if rank == 0 or result["outcome"] == "broken":
        state = {key: value for key, value in session.state.items() if key != "checkpoint"}
        Path(job["result"]).write_text(
            json.dumps(result | {"lines": session.lines, "state": state, "beats": session.beats})
        )


def main():
    folder, rank, world_size = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(1)
    store = dist.FileStore(str(folder / "store"), world_size)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=world_size, timeout=timedelta(seconds=120))
    for job in json.loads((folder / "jobs.json").read_text()):
        run(job, rank, world_size)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
