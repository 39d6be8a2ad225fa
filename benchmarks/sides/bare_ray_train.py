"""A bare Ray Train script: one worker, DeepSpeed, the same model and batch; notes the time of its first step."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import ray.train
from ray.train.torch import TorchTrainer


def train(task: dict[str, Any]) -> None:
    """Runs in the worker. peft is imported because the trainer imports it, too."""
    import deepspeed
    import peft  # noqa: F401  see the docstring
    import torch
    from transformers import AutoModelForCausalLM

    from benchmarks.sides.collate import collate
    from benchmarks.sides.deepspeed_settings import use_on_cpu, zero_2

    use_on_cpu()
    deepspeed.init_distributed("gloo", verbose=False)
    model = AutoModelForCausalLM.from_pretrained(task["model"], dtype=torch.float32)
    optimizer = torch.optim.AdamW(model.parameters(), lr=task["learningRate"], weight_decay=0.0, fused=True)
    engine, *_ = deepspeed.initialize(model=model, optimizer=optimizer, config=zero_2(micro_batch=task["batch"]))
    engine.train()
    rows = [json.loads(line) for line in Path(task["examples"]).read_text().splitlines()]
    loss = engine(**collate(rows, task["padTokenId"]), use_cache=False).loss
    engine.backward(loss)
    engine.step()
    Path(task["result"]).write_text(json.dumps({"at": time.time(), "firstLoss": loss.item()}))


def main() -> None:
    task = json.loads(Path(sys.argv[1]).read_text())
    TorchTrainer(
        train,
        train_loop_config=task,
        scaling_config=ray.train.ScalingConfig(num_workers=1, resources_per_worker={"CPU": task["cores"]}),
        run_config=ray.train.RunConfig(storage_path=task["storage"], name=f"bare-{time.time_ns()}"),
    ).fit()


if __name__ == "__main__":
    main()
