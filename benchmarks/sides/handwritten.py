"""The loop that one would write by hand: torch, transformers, DeepSpeed, and the rows in memory."""

import json
from pathlib import Path

import deepspeed
import torch
from transformers import AutoModelForCausalLM

from benchmarks.sides.clock import StepClock, read_task
from benchmarks.sides.collate import collate
from benchmarks.sides.deepspeed_settings import use_on_cpu, zero_2


def main() -> None:
    task = read_task()
    clock = StepClock(task)
    rows = [json.loads(line) for line in Path(task["examples"]).read_text().splitlines()]
    use_on_cpu()
    deepspeed.init_distributed("gloo", verbose=False)
    model = AutoModelForCausalLM.from_pretrained(task["model"], dtype=torch.float32)
    optimizer = torch.optim.AdamW(model.parameters(), lr=task["learningRate"], weight_decay=0.0, fused=True)
    engine, *_ = deepspeed.initialize(model=model, optimizer=optimizer, config=zero_2(micro_batch=task["batch"]))
    engine.train()
    while not clock.is_over:
        start = len(clock.losses) * task["batch"]
        loss = engine(**collate(rows[start : start + task["batch"]], task["padTokenId"]), use_cache=False).loss
        engine.backward(loss)
        engine.step()
        clock.stepped(loss.item())
    clock.write_result()


if __name__ == "__main__":
    main()
