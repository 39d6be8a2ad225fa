"""The trainer's entrypoint with a toy in place of the recipes: `toy_recipe_driver.py <behavior> run --config PATH`.

Run as a script, so that Ray carries its functions by value. A toy steps through `total_steps` with one all-reduce each.
"""

import os
import signal
import sys
import threading
import time
from functools import partial
from pathlib import Path

from trivium_trainer.__main__ import main
from trivium_trainer.failure import DivergedError, FailureClass, StopRequested, TrainingError
from trivium_trainer.launch import Work
from trivium_trainer.layout import run_directory
from trivium_trainer.report_data import StepLine

STEP_SECONDS = 0.02
BAD_STEP = 3


def toy_recipe(behavior, config, session):
    import torch

    stage = run_directory(config).stage("train")
    first = not (stage.root / "second").exists()
    waited = 0.0
    steps = config.optimization.total_steps
    if behavior == "linger" and session.world_size > 1:
        steps = 10**6  # until the node is gone
    for step in range(1, steps + 1):
        if step == BAD_STEP and session.rank == session.world_size - 1:
            misbehave(behavior, stage, first=first)
        value = torch.ones(1)
        torch.distributed.all_reduce(value)
        assert value.item() == session.world_size
        began = time.monotonic()
        session.beat("step")
        session.progress(step=step, loss=1.0 / step, metrics={"grad_norm": float("nan")})
        session.write(
            StepLine(at=time.time(), step=step, loss=1.0 / step, learning_rate=1e-3, tokens=step, tokens_per_second=1.0)
        )
        stop = torch.tensor(float(session.stop_requested()))
        if session.save_requested():
            (stage.root / "saved").write_text(str(step))
        waited = max(waited, time.monotonic() - began)
        torch.distributed.broadcast(stop, src=0)
        if stop.item():
            raise StopRequested(step)
        time.sleep(STEP_SECONDS)
    session.progress(message=f"longest wait {waited:.3f} s")


def misbehave(behavior, stage, *, first):
    match behavior:
        case "name":
            raise TrainingError(
                FailureClass.DATA_ERROR, "MissingColumn", "data.train[0]: no column text.", remedy="Name one."
            )
        case "user":
            raise TrainingError(FailureClass.USER_ERROR, "BadField", "model.x: 1 is no 2.", remedy="Set 2.")
        case "memory":
            import torch

            torch.empty(1 << 50, dtype=torch.uint8)
        case "diverge":
            raise DivergedError("LossIsNaN", "The loss became NaN.", remedy="Lower it.", step=BAD_STEP, data_step=53)
        case "bug":
            raise KeyError("text")
        case "linger":
            (stage.root / "lingering").touch()
        case "die-once" if first:
            (stage.root / "second").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "hang":
            threading.Event().wait()


def toy_prepare(behavior, config, session):
    from trivium_trainer.progress import Inspection

    session.beat("prepare")
    if behavior == "hang":
        session.beat("step")
        threading.Event().wait()
    return Inspection(
        architecture={"model_type": "toy"},
        parameters=1,
        vocabulary=2,
        packing=False,
        max_length=4,
        train_sequences=5,
        train_examples=5,
        train_tokens=20,
        prepared_key="k",
        tokenizer_digest="t",
    )


if __name__ == "__main__":
    assert Path(sys.argv[0]).exists()
    main(sys.argv[2:], Work(train=partial(toy_recipe, sys.argv[1]), prepare=partial(toy_prepare, sys.argv[1])))
