"""What the sides share with ours: DeepSpeed's settings, batches, the window, and that no process stays behind."""

import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks.sides.clock import StepClock
from benchmarks.sides.collate import collate
from benchmarks.sides.deepspeed_settings import zero_2
from benchmarks.start import require_one_start
from benchmarks.supervised import SideFailedError, supervised, tail
from benchmarks.workload import preset_of

from trivium_trainer.data.batches import collate as our_collate
from trivium_trainer.engine.deepspeed_config import EngineSettings, build_deepspeed_config
from trivium_trainer.model.presets import PRESETS


def test_the_settings_written_by_hand_are_ours():
    ours = build_deepspeed_config(
        EngineSettings(
            zero_stage=2,
            offload="none",
            dtype="float32",
            on_gpu=False,
            world_size=1,
            micro_batch_size=4,
            gradient_accumulation=1,
            gradient_clip=1.0,
            hidden_size=512,
        ),
        {},
    )
    del ours["checkpoint"]  # of checkpoints, which no side writes
    assert zero_2(micro_batch=4) == ours


def rows(*lengths):
    return [
        {
            "input_ids": np.arange(10, 10 + n),
            "labels": np.array([-100, *range(11, 10 + n)]),
            "position_ids": np.arange(n) % 3,
        }
        for n in lengths
    ]


@pytest.mark.parametrize(("lengths", "row_length"), [((3, 7, 5), None), ((6, 6), 6)])
def test_batches_made_by_hand_hold_what_ours_hold(lengths, row_length):
    examples = rows(*lengths)
    kept = ("input_ids", "labels") if row_length is None else ("input_ids", "labels", "position_ids")
    by_hand = collate([{name: row[name].tolist() for name in kept} for row in examples], 2)
    ours = our_collate(examples, pad_token_id=2, row_length=row_length)
    assert by_hand.keys() == ours.keys()
    for name, tensor in ours.items():
        assert torch.equal(by_hand[name], tensor), name


def test_packed_rows_that_are_not_full_are_refused():
    with pytest.raises(AssertionError, match="fill their rows"):
        collate([{name: value.tolist() for name, value in row.items()} for row in rows(3, 4)], 2)


def test_the_window_counts_the_tokens_of_the_measured_steps_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", str(torch.get_num_threads()))
    ticks = iter([0.0, 10.0, 20.0, 21.0, 22.0, 24.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(ticks))
    result = tmp_path / "result.json"
    clock = StepClock({"warmup": 2, "steps": 3, "tokens": [1000, 1000, 10, 20, 30], "result": str(result)})
    for loss in (5.0, 4.0, 3.0, 2.0):
        clock.stepped(loss)
        assert not clock.is_over
    clock.stepped(1.0)
    assert clock.is_over
    clock.write_result()
    figures = json.loads(result.read_text())
    assert figures["tokensPerSecond"] == 15.0  # 10 + 20 + 30 tokens from second 20 to second 24
    assert (figures["firstLoss"], figures["lastLoss"]) == (5.0, 1.0)


def test_a_side_that_logs_now_and_then_states_no_last_loss(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", str(torch.get_num_threads()))
    result = tmp_path / "result.json"
    clock = StepClock({"warmup": 0, "steps": 2, "tokens": [1, 1], "result": str(result)})
    clock.stepped(5.0)
    clock.stepped()
    clock.write_result()
    assert "lastLoss" not in json.loads(result.read_text())


def test_the_smallest_preset_with_enough_parameters_is_taken():
    assert preset_of(1) == "llama-tiny"
    assert PRESETS[preset_of(30_000_000)].parameters >= 30_000_000
    assert preset_of(30_000_000) == "llama-30m"
    with pytest.raises(ValueError, match="Use fewer"):
        preset_of(10**12)


def test_a_start_that_took_two_attempts_is_no_measurement():
    assert require_one_start({"seconds": 9.0, "starts": 1})["seconds"] == 9.0
    with pytest.raises(SideFailedError, match="too busy"):
        require_one_start({"seconds": 9.0, "starts": 2})


@pytest.mark.slow
def test_nothing_of_a_side_outlives_its_block(tmp_path):
    script = "import subprocess, sys; p = subprocess.Popen(['sleep', '600']); print(p.pid, flush=True); p.wait()"
    log = tmp_path / "log"
    with supervised([sys.executable, "-c", script], environment=os.environ, log=log):
        deadline = time.monotonic() + 60
        while not tail(log).strip().isdigit():
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert not is_alive(int(tail(log)))


def is_alive(pid):
    """A zombie is dead: whoever inherited it may be slow to reap."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
