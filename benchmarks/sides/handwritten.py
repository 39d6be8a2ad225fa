"""The loop that one would write by hand: torch, transformers, DeepSpeed, and the rows in memory."""

import json
from pathlib import Path
from typing import Any

import deepspeed
import torch
from transformers import AutoModelForCausalLM

from benchmarks.sides.clock import StepClock, read_task
from benchmarks.sides.deepspeed_settings import use_on_cpu, zero_2

IGNORED = -100


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


def collate(rows: list[dict[str, list[int]]], pad_token_id: int) -> dict[str, Any]:
    """Rows -> tensors [B, longest]. Packed rows bring position_ids and no mask, the others a mask."""
    longest = max(len(row["input_ids"]) for row in rows)
    batch = {
        "input_ids": torch.tensor([_padded(row["input_ids"], longest, pad_token_id) for row in rows]),
        "labels": torch.tensor([_padded(row["labels"], longest, IGNORED) for row in rows]),
    }
    if "position_ids" in rows[0]:
        assert all(len(row["position_ids"]) == longest for row in rows), "packed documents fill their rows"
        return batch | {"position_ids": torch.tensor([row["position_ids"] for row in rows])}
    return batch | {"attention_mask": torch.tensor([_padded([1] * len(row["input_ids"]), longest, 0) for row in rows])}


def _padded(values: list[int], length: int, fill: int) -> list[int]:
    return values + [fill] * (length - len(values))


if __name__ == "__main__":
    main()
