"""DeepSpeed's settings of the sides that are not ours, written by hand; a unit test holds them equal to ours."""

from typing import Any


def zero_2(*, micro_batch: int) -> dict[str, Any]:
    """One rank, fp32, ZeRO-2, clipping at 1, torch's optimizer (facts: DeepSpeed's own compiles for two minutes)."""
    return {
        "train_batch_size": micro_batch,
        "train_micro_batch_size_per_gpu": micro_batch,
        "gradient_accumulation_steps": 1,
        "gradient_clipping": 1.0,
        "steps_per_print": 10**9,
        "bf16": {"enabled": False},
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
        "zero_optimization": {
            "stage": 2,
            "contiguous_gradients": True,
            "overlap_comm": False,
            "reduce_bucket_size": 50_000_000,
            "allgather_bucket_size": 50_000_000,
        },
    }


def use_on_cpu() -> None:
    """Keep DeepSpeed 0.19.8 from compiling an op for 45 s at its first init_distributed (private name)."""
    import deepspeed

    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
