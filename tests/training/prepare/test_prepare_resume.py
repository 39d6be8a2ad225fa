"""An interrupted prepare goes on by part; Ray Data makes the same data as this process; jobs do not disturb each other."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from trivium_trainer import layout
from trivium_trainer.data.prepared import SHARDS, open_prepared, read_manifest
from trivium_trainer.failure import TrainingError
from trivium_trainer.prepare import dataset, parts, scatter

pytestmark = pytest.mark.slow

FILES = 5


@pytest.fixture
def one_file_a_part(monkeypatch):
    monkeypatch.setattr(parts, "PART_BYTES", 1)


@pytest.fixture
def config(machine, rows, one_file_a_part):
    for number in range(FILES):
        machine.write_rows(f"rows/{number}.jsonl", rows(60)[number::FILES])
    return machine.job("sft", packing="on")


def content(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*.npy"))}


def test_a_prepare_that_stops_between_two_files_redoes_only_what_is_missing(machine, config, monkeypatch):
    real, made = scatter.process_part, []

    def stop_after_two(part, how, **kwargs):
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(part.files[0].path)
        return real(part, how, **kwargs)

    monkeypatch.setattr(scatter, "process_part", stop_after_two)
    with pytest.raises(KeyboardInterrupt):
        machine.prepare(config)
    (work,) = machine.prepared.glob(".work-*/*/shards")
    assert len(list(work.iterdir())) == 2
    # A shard that was in the making when the process died has no marker.
    (work / "000-00001" / "marker.json").unlink()
    (work / "000-00001" / "tokens.npy").write_bytes(b"torn")
    kept = (work / "000-00000" / "tokens.npy").stat().st_mtime_ns
    monkeypatch.setattr(scatter, "process_part", real)
    inspection = machine.prepare(config)
    shards = machine.prepared / inspection.prepared_key / SHARDS
    assert (shards / "000-00000" / "tokens.npy").stat().st_mtime_ns == kept
    resumed = content(machine.prepared / inspection.prepared_key)
    # The same job uninterrupted, elsewhere, gives the same bytes.
    (machine.prepared / inspection.prepared_key).rename(machine.prepared / "before")
    again = machine.prepare(machine.job("sft", uid="other", packing="on"))
    assert content(machine.prepared / again.prepared_key) == resumed


KILLED = """
import os, signal, sys
from trivium_trainer.config import RunConfig
from trivium_trainer.prepare import parts, scatter
from trivium_trainer.prepare.run import run_prepare

parts.PART_BYTES = 1
real, made = scatter.process_part, []

def kill_after_three(part, how, **kwargs):
    if len(made) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    made.append(part)
    return real(part, how, **kwargs)

scatter.process_part = kill_after_three

class Session:
    def beat(self, activity): pass

run_prepare(RunConfig.model_validate_json(sys.stdin.read()), Session())
"""


def test_a_killed_prepare_is_resumed_by_the_next_attempt(machine, config):
    killed = subprocess.run(
        [sys.executable, "-c", KILLED], input=config.model_dump_json(), text=True, env=dict(os.environ), check=False
    )
    assert killed.returncode == -signal.SIGKILL
    (work,) = machine.prepared.glob(".work-*/*/shards")
    before = {path: path.stat().st_mtime_ns for path in work.rglob("*.npy")}
    assert len({path.parent for path in before}) == 3
    inspection = machine.prepare(config)
    shards = machine.prepared / inspection.prepared_key / SHARDS
    for path, written in before.items():
        assert (shards / path.relative_to(work)).stat().st_mtime_ns == written
    assert inspection.train_examples == 60


ON_A_CLUSTER = """
import json, sys
import ray
from trivium_trainer.config import RunConfig
from trivium_trainer.failure import TrainingError
from trivium_trainer.prepare import parts
from trivium_trainer.prepare.run import run_prepare

parts.PART_BYTES = 1

class Session:
    def beat(self, activity): pass

ray.init(address="local", num_cpus=2, include_dashboard=False, object_store_memory=100 * 2**20, log_to_driver=False)
good, bad = map(RunConfig.model_validate, json.load(sys.stdin))
answer = {"inspection": run_prepare(good, Session()).model_dump(mode="json")}
answer["used_ray_data"] = "ray.data" in sys.modules
try:
    run_prepare(bad, Session())
except TrainingError as error:
    answer["failure"] = str(error)
ray.shutdown()
print(json.dumps(answer))
"""


@pytest.mark.timeout(300)
def test_ray_data_makes_the_same_data_and_brings_failures_home(machine, config, rows):
    """In a process of its own: Ray 2.60 leaves warnings about sockets and children that are errors here."""
    here = machine.prepare(config)
    local = content(machine.prepared / here.prepared_key)
    (machine.prepared / here.prepared_key).rename(machine.prepared / "here")
    machine.write_rows("bad/a.jsonl", rows(3))
    machine.write_bytes("bad/b.jsonl", b"{broken\n")
    jobs = [
        machine.job("sft", uid="ray", packing="on"),
        machine.job("sft", uid="bad", train=[machine.source("bad")]),
    ]
    done = subprocess.run(
        [sys.executable, "-c", ON_A_CLUSTER],
        input=json.dumps([job.model_dump(mode="json") for job in jobs]),
        text=True,
        capture_output=True,
        check=True,
    )
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["used_ray_data"]
    assert answer["inspection"] == here.model_dump(mode="json")
    assert content(machine.prepared / here.prepared_key) == local
    assert answer["failure"].startswith("BadRecord: data.train[0]: b.jsonl:1: not JSON")


def test_a_file_that_changed_between_two_attempts_ends_the_job(machine, config, rows):
    machine.prepare(config)
    path = machine.root / "trivium/data/rows/2.jsonl"
    same_size = path.read_bytes().replace(b"You add.", b"Yxu add.")
    path.write_bytes(same_size)
    (machine.prepared / open_prepared(config).root.name).rename(machine.prepared / "gone")
    with pytest.raises(TrainingError) as caught:
        machine.prepare(config)
    assert str(caught.value) == (
        "InputChanged: data.train[0]: 2.jsonl has changed or vanished since the job began. Put the file back as it was, "
        "or submit the job again under a new name to train on the new content."
    )
    path.write_bytes(same_size + b"\n")
    with pytest.raises(TrainingError, match="InputChanged"):
        machine.prepare(config)


def test_a_file_that_appears_later_is_not_read(machine, config, rows):
    first = machine.prepare(config)
    machine.write_rows("rows/later.jsonl", rows(10))
    assert machine.prepare(config) == first


def test_the_second_of_two_jobs_that_finish_together_uses_the_first_ones_data(tmp_path):
    for name in ("mine", "theirs"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_text(MANIFEST)
    (tmp_path / "theirs" / "shard").write_text("theirs")
    dataset.publish(tmp_path / "mine", tmp_path / "theirs")
    assert (tmp_path / "theirs" / "shard").exists()
    assert not (tmp_path / "mine").exists()


def test_data_of_another_version_is_replaced(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "manifest.json").write_text('{"version": 0}')
    (tmp_path / "mine" / "manifest.json").write_text(MANIFEST)
    dataset.publish(tmp_path / "mine", tmp_path / "old")
    assert read_manifest(tmp_path / "old").key == "k"


MANIFEST = json.dumps(
    {
        "key": "k",
        "layout": "rows",
        "packing": False,
        "maxLength": 1,
        "shards": [],
        "evaluation": [],
        "trainAmounts": [],
        "trainExamples": [],
        "trainTrainedTokens": [],
        "sources": [],
    }
)


def test_every_file_of_the_data_has_its_digest_in_the_manifest(machine, config):
    import hashlib

    root = machine.prepared / machine.prepare(config).prepared_key
    manifest = read_manifest(root)
    assert len(manifest.shards) == FILES
    seen = 0
    for shard in manifest.shards:
        for name, digest in shard.digests.items():
            assert hashlib.sha256((root / SHARDS / shard.name / name).read_bytes()).hexdigest() == digest
            seen += 1
    assert seen == len(list((root / SHARDS).rglob("*.npy")))


def test_training_without_prepared_data_says_what_is_missing(machine, config):
    with pytest.raises(TrainingError, match=r"PreparedDataMissing: .*prepared\.json does not exist"):
        open_prepared(config)
    key = machine.prepare(config).prepared_key
    (machine.prepared / key / "manifest.json").unlink()
    with pytest.raises(TrainingError, match="holds no complete prepared data"):
        open_prepared(config)


def test_a_run_that_is_continued_by_another_job_finds_its_data(machine, config):
    machine.prepare(config)
    continued = config.model_copy(
        update={"continue_from": "uid-1", "job": config.job.model_copy(update={"uid": "new"})}
    )
    assert layout.run_directory(continued) == layout.run_directory(config)
    assert np.array_equal(open_prepared(continued).train.trained_tokens, open_prepared(config).train.trained_tokens)
