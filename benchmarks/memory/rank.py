"""One rank: builds the trainer's engine for each case, trains two steps under the storage log, keeps what it saw.

Started by process_group.py: `python -m benchmarks.memory.rank FOLDER RANK WORLD_SIZE`.
"""

import gc
import json
import os
import sys
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from benchmarks.memory.case import Case
from benchmarks.memory.holders import gathered, held_by
from benchmarks.memory.models import model_config
from benchmarks.memory.storage_log import StorageLog

STEPS = 2
"""The first makes the optimizer's state and DeepSpeed's buffers; the second is what is reported."""


def run_case(case: Case) -> dict[str, Any]:
    """What this rank held in the last step of `case`, by category. Bytes."""
    from trivium_trainer.engine.reference import answer_log_probs

    older = {tensor.untyped_storage().data_ptr() for tensor in living_tensors()}
    engine, reference = build(case)
    batch = make_batch(case)
    rows, positions = batch["labels"].shape
    log = StorageLog(
        logits=(rows * (positions - 1), model_config(case.model)["vocab_size"]),
        sizes=buffer_sizes(case, engine),
    )

    def name_all() -> None:
        with torch.no_grad():
            for category, tensors in held_by(engine):
                log.name(tensors, category, over=True)
            if reference is not None:
                log.name([getattr(p, "ds_tensor", p.data) for p in reference.parameters()], "reference", over=True)

    name_all()
    log.name((one for one in living_tensors() if one.untyped_storage().data_ptr() not in older), "other")
    hooks = name_gathered(engine.module, log) if case.zero_stage == 3 else []
    with log:
        for step in range(STEPS):
            for micro in range(case.accumulation):
                collect()  # what reference cycles hold would be measured at random
                log.phase(f"micro{step}.{micro}")
                loss = loss_of(case, engine, reference, batch, answer_log_probs)
                engine.backward(loss * case.world_size, scale_wrt_gas=False)
                del loss
                name_all()
                if micro == case.accumulation - 1:
                    log.phase(f"step{step}")
                engine.step()
                name_all()
    for hook in hooks:
        hook.remove()
    last = STEPS - 1
    window = [f"micro{last}.{micro}" for micro in range(case.accumulation)]
    report = {"training": log.report(window), "step": log.report([f"step{last}"])}
    seen = sum(snapshot["Total"] for snapshot in log.get_tracker_snapshot("peak").values())
    assert max(part["peak"] for part in report.values()) <= seen, "MemTracker saw less than its own log"
    engine.destroy()
    collect()
    return report


def buffer_sizes(case: Case, engine: Any) -> dict[int, str]:
    """Elements of the flat buffers that come and go within a backward pass, and what each is for."""
    if case.zero_stage == 0:  # reduced in one piece: these models have fewer than 5e8 parameters
        return {sum(p.numel() for p in engine.module.parameters() if p.requires_grad): "buckets"}
    sizes = {case.bucket_elements: "buckets"}
    if case.zero_stage < 3:
        sizes[sum(p.numel() for group in engine.optimizer.params_in_partition for p in group)] = "gradients"
    return sizes


def living_tensors() -> list[torch.Tensor]:
    """Every tensor that Python holds and that has memory."""
    found = [one for one in gc.get_objects() if isinstance(one, torch.Tensor)]
    return [one for one in found if not one.is_meta and one.untyped_storage().nbytes()]


def name_gathered(module: torch.nn.Module, log: StorageLog) -> list[Any]:
    """Name what ZeRO-3 gathers, whenever a module is about to use it."""

    def note(used: torch.nn.Module, *_: Any) -> None:
        log.name(gathered(used), "buckets")

    return [m.register_forward_pre_hook(note) for m in module.modules()] + [
        m.register_full_backward_pre_hook(note)
        for m in module.modules()
        if any(True for _ in m.parameters(recurse=False))
    ]


def build(case: Case) -> tuple[Any, Any]:
    """(engine, the live reference of DPO or None), put together as engine/assembly.py does."""
    from trivium_trainer.config import Lora, Model, Optimization
    from trivium_trainer.engine.deepspeed_config import EngineSettings, build_deepspeed_config
    from trivium_trainer.engine.zero_engine import build_engine, build_frozen_engine
    from trivium_trainer.model.adapter import attach_lora
    from trivium_trainer.model.weights import build_model, enable_gradient_checkpointing

    architecture = model_config(case.model)
    settings = EngineSettings(
        zero_stage=case.zero_stage,
        offload="none",
        dtype=case.dtype,
        on_gpu=case.gpu,
        world_size=case.world_size,
        micro_batch_size=case.micro_batch,
        gradient_accumulation=case.accumulation,
        gradient_clip=1.0,
        hidden_size=architecture["hidden_size"],
    )
    config = build_deepspeed_config(settings, {"zero_optimization": {"reduce_bucket_size": case.bucket_elements}})
    zero3 = config if case.zero_stage == 3 else None

    def make() -> Any:
        return build_model(
            Model(dtype=case.dtype, attention=case.attention),
            model_config=architecture,
            model_dir=None,
            seed=1,
            quantize=False,
            zero3_config=zero3,
        )

    model = make()
    if case.checkpointing:
        enable_gradient_checkpointing(model, zero_stage=case.zero_stage)
    if case.adapter_rank:
        model = attach_lora(model, Lora(rank=case.adapter_rank), added_token_ids=[])
    optimization = Optimization(total_steps=4, global_batch_size=1, learning_rate=1e-4, weight_decay=0.01)
    engine = build_engine(model, optimization, deepspeed_config=config)
    engine.train()
    if case.recipe != "dpo" or case.adapter_rank:
        return engine, None
    frozen = make().requires_grad_(requires_grad=False)
    return engine, build_frozen_engine(frozen, deepspeed_config=zero3) if zero3 else frozen.eval()


def make_batch(case: Case) -> dict[str, torch.Tensor]:
    """Random tokens, all trained; packed rows hold four examples, padded ones end in one token of padding."""
    generator = torch.Generator().manual_seed(1)
    shape = (case.sequences, case.max_length)
    ids = torch.randint(0, model_config(case.model)["vocab_size"], shape, generator=generator)
    batch = {"input_ids": ids, "labels": ids.clone()}
    if case.packing:
        part = case.max_length // 4
        return batch | {"position_ids": (torch.arange(case.max_length) % part).expand(shape).contiguous()}
    mask = torch.ones(shape, dtype=torch.long)
    if case.sequences > 1:
        mask[-1, -1] = 0
    return batch | {"attention_mask": mask}


def loss_of(case: Case, engine: Any, reference: Any, batch: dict[str, torch.Tensor], log_probs: Any) -> torch.Tensor:
    """The recipe's loss of one micro-batch."""
    from trivium_trainer.engine.losses import next_token_loss_sum
    from trivium_trainer.engine.reference import AdapterOff, FrozenModel

    if case.recipe == "language":
        inputs = {name: tensor for name, tensor in batch.items() if name != "labels"}
        return next_token_loss_sum(engine, inputs, batch["labels"]) / case.tokens
    chosen, rejected = log_probs(engine, batch).chunk(2)
    other = AdapterOff() if case.adapter_rank else FrozenModel(reference)
    reference_chosen, reference_rejected = other.log_probs(engine, batch).chunk(2)
    margin = (chosen - reference_chosen) - (rejected - reference_rejected)
    return -torch.nn.functional.logsigmoid(0.1 * margin).mean()


def train(case: Case, engine: Any, reference: Any, log_probs: Any) -> None:
    """The same steps without a log."""
    batch = make_batch(case)
    for _ in range(STEPS):
        for _ in range(case.accumulation):
            loss = loss_of(case, engine, reference, batch, log_probs)
            engine.backward(loss * case.world_size, scale_wrt_gas=False)
            engine.step()
    engine.destroy()


def collect() -> None:
    """Let the next case start from nothing."""
    gc.collect()


def main() -> None:
    folder, rank, world_size = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    os.environ["DS_ACCELERATOR"] = "cpu"
    torch.set_num_threads(1)
    store = dist.FileStore(str(folder / "store"), world_size)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=world_size, timeout=timedelta(seconds=300))
    from trivium_trainer.engine.ranks import join

    join(rank=rank, world_size=world_size, local_rank=rank, on_gpu=False)
    # The collector runs before each micro-batch: let it pass over what libraries hold.
    for name in ("adapter", "weights"):
        import_module(f"trivium_trainer.model.{name}")
    gc.collect()
    gc.freeze()
    reports = []
    for fields in json.loads((folder / "cases.json").read_text()):
        reports.append(run_case(Case.from_json(fields)))
        (folder / f"reports-{rank}.json").write_text(json.dumps(reports))
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
