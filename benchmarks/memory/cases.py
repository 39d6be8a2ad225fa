"""What is measured: each case changes what the one before did not, so that every rule of the model is met."""

from benchmarks.memory.case import Case

ENGINES: tuple[Case, ...] = (
    Case(name="full, bf16", model="llama-6m"),
    Case(name="full, fp32", model="llama-6m", dtype="float32"),
    Case(name="one micro-batch a step", model="llama-6m", accumulation=1),
    Case(name="checkpointing", model="llama-6m", checkpointing=True, max_length=512),
    Case(name="checkpointing, small vocabulary", model="llama-narrow", checkpointing=True, max_length=512),
    Case(name="checkpointing, fp32", model="llama-narrow", checkpointing=True, max_length=512, dtype="float32"),
    Case(name="one row of 512, unmasked", model="llama-6m", micro_batch=1, max_length=512),
    Case(
        name="packed row of 512, fp32", model="llama-6m", micro_batch=1, max_length=512, packing=True, dtype="float32"
    ),
    Case(name="eager attention", model="llama-6m", attention="eager"),
    Case(name="qwen3", model="qwen3-6m"),
    Case(name="gpt2", model="gpt2-6m"),
    Case(name="mixture of experts", model="mixtral-8m"),
    Case(name="ZeRO-1", model="llama-6m", zero_stage=1),
    Case(name="ZeRO-2, tied embeddings", model="llama-6m-tied", zero_stage=2),
    Case(name="ZeRO-3, checkpointing", model="llama-6m", zero_stage=3, checkpointing=True),
    Case(name="LoRA, ZeRO-2", model="llama-6m", zero_stage=2, adapter_rank=16),
    Case(name="DPO, ZeRO-2", model="llama-6m", zero_stage=2, recipe="dpo", micro_batch=1),
    Case(name="DPO with LoRA, ZeRO-2", model="llama-6m", zero_stage=2, adapter_rank=16, recipe="dpo", micro_batch=1),
    Case(name="plain", model="llama-6m", world_size=2),
    Case(name="ZeRO-1", model="llama-6m", zero_stage=1, world_size=2),
    Case(name="ZeRO-1, no overlap", model="llama-6m", zero_stage=1, gpu=False, world_size=2),
    Case(name="ZeRO-2", model="llama-6m", zero_stage=2, world_size=2),
    Case(name="ZeRO-2, one micro-batch", model="llama-6m", zero_stage=2, accumulation=1, world_size=2),
    Case(name="ZeRO-3", model="llama-6m", zero_stage=3, world_size=2),
    Case(name="ZeRO-3, fp32", model="llama-6m", zero_stage=3, dtype="float32", world_size=2),
    Case(name="ZeRO-3, checkpointing", model="llama-6m", zero_stage=3, checkpointing=True, world_size=2),
    Case(name="DPO, ZeRO-3", model="llama-6m", zero_stage=3, recipe="dpo", micro_batch=1, world_size=2),
    Case(name="LoRA, ZeRO-3", model="llama-6m", zero_stage=3, adapter_rank=16, world_size=2),
    Case(name="ZeRO-1", model="llama-6m", zero_stage=1, world_size=4, max_length=128),
    Case(name="ZeRO-2", model="llama-6m", zero_stage=2, world_size=4, max_length=128),
    Case(name="ZeRO-3", model="llama-6m", zero_stage=3, world_size=4, max_length=128),
)
"""Real DeepSpeed engines on gloo, two optimizer steps each."""

SHAPES: tuple[Case, ...] = (
    Case(name="", model="llama-3.2-1b", max_length=4096, micro_batch=1, accumulation=1, packing=True),
    Case(name="", model="gemma-3-1b", max_length=2048, accumulation=1, packing=True),
    Case(name="", model="qwen3-0.6b", max_length=2048, micro_batch=4, accumulation=1, packing=True, checkpointing=True),
    Case(name="", model="mistral-7b", max_length=4096, accumulation=1, packing=True, checkpointing=True),
    Case(name="", model="llama-3-8b", max_length=8192, micro_batch=1, accumulation=1, packing=True, checkpointing=True),
    Case(name="", model="llama-3-8b", max_length=4096, micro_batch=1, accumulation=1, packing=True),
)
"""Published models at full size, as shapes without memory."""

RESIDENT: tuple[Case, ...] = (
    Case(name="", model="llama-6m", dtype="float32", micro_batch=8, gpu=False),
    Case(name="", model="llama-6m", dtype="float32", micro_batch=8, gpu=False, checkpointing=True),
)
"""Processes whose resident memory is read."""
