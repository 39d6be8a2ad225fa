"""The ten-line SFTTrainer script, with the settings that make DeepSpeed run on CPU at all."""

import os
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import DistributedType
from datasets import load_dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl import SFTConfig, SFTTrainer

from benchmarks.sides.clock import StepClock, read_task
from benchmarks.sides.deepspeed_settings import use_on_cpu, zero_2


class _Times(TrainerCallback):  # type: ignore[misc]  # transformers is Any to mypy here
    def __init__(self, clock: StepClock) -> None:
        self._clock = clock

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self._clock.stepped()

    def on_log(self, _args: Any, _state: Any, _control: Any, logs: dict[str, float], **_kwargs: Any) -> None:
        if "loss" in logs:
            self._clock.losses.append(logs["loss"])


def main() -> None:
    task = read_task()
    clock = StepClock(task)
    use_on_cpu()
    os.environ["ACCELERATE_USE_DEEPSPEED"] = "true"
    PartialState(backend="gloo")
    dataset = load_dataset("json", data_files=task["examples"], split="train", cache_dir=task["cache"])
    arguments = SFTConfig(
        output_dir=task["cache"],
        deepspeed=zero_2(micro_batch=task["batch"]),
        use_cpu=False,
        bf16=False,
        accelerator_config={"use_configured_state": True},
        per_device_train_batch_size=task["batch"],
        max_steps=task["warmup"] + task["steps"],
        learning_rate=task["learningRate"],
        lr_scheduler_type="constant",
        optim="adamw_torch_fused",
        max_length=task["maxLength"],
        train_sampling_strategy="sequential",
        gradient_checkpointing=False,
        logging_first_step=True,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    model = AutoModelForCausalLM.from_pretrained(task["model"], dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(task["tokenizer"])
    trainer = SFTTrainer(model, arguments, train_dataset=dataset, processing_class=tokenizer, callbacks=[_Times(clock)])
    assert trainer.accelerator.distributed_type == DistributedType.DEEPSPEED
    trainer.train()
    clock.write_result()


if __name__ == "__main__":
    main()
