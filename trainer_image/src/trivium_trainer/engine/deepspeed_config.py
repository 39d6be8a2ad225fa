"""DeepSpeed's configuration: settings in, dict out. Nothing here imports DeepSpeed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from trivium_trainer.failure import FailureClass, TrainingError

ALLOWED_OVERRIDES = frozenset(
    {
        "communication_data_type",
        "wall_clock_breakdown",
        "zero_optimization.allgather_bucket_size",
        "zero_optimization.allgather_partitions",
        "zero_optimization.contiguous_gradients",
        "zero_optimization.overlap_comm",
        "zero_optimization.reduce_bucket_size",
        "zero_optimization.reduce_scatter",
        "zero_optimization.round_robin_gradients",
        "zero_optimization.stage3_max_live_parameters",
        "zero_optimization.stage3_max_reuse_distance",
        "zero_optimization.stage3_param_persistence_threshold",
        "zero_optimization.stage3_prefetch_bucket_size",
        "zero_optimization.sub_group_size",
        "zero_optimization.zero_hpz_partition_size",
    }
)
"""What a job may tune. No paths, batch sizes, elasticity, checkpoints, monitors or offload: those have typed fields."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """What decides DeepSpeed's configuration. Units: batch sizes in sequences; hidden_size in features."""

    zero_stage: Literal[0, 1, 2, 3]
    offload: Literal["none", "optimizer", "parameters"]
    dtype: Literal["float32", "bfloat16"]
    on_gpu: bool
    world_size: int
    micro_batch_size: int
    gradient_accumulation: int
    gradient_clip: float
    """0 = none."""
    hidden_size: int
    load_universal: bool = False
    """The checkpoint that comes next was written at another world size and has been converted."""


def build_deepspeed_config(settings: EngineSettings, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The dict for deepspeed.initialize. Raises TrainingError(UserError) on an override outside the allow-list."""
    for path, _ in _leaves(overrides):
        if path not in ALLOWED_OVERRIDES:
            raise TrainingError(
                FailureClass.USER_ERROR,
                "DeepSpeedKeyNotAllowed",
                f"parallelism.deepspeed.{path}: not among the keys that a job may set.",
                remedy=f"Remove it, or use the job's own field. Allowed: {', '.join(sorted(ALLOWED_OVERRIDES))}.",
            )
    config: dict[str, Any] = {
        "train_batch_size": settings.world_size * settings.micro_batch_size * settings.gradient_accumulation,
        "train_micro_batch_size_per_gpu": settings.micro_batch_size,
        "gradient_accumulation_steps": settings.gradient_accumulation,
        "gradient_clipping": 0.0 if clips_by_itself(settings) else settings.gradient_clip,
        "steps_per_print": 10**9,
        "bf16": {"enabled": settings.dtype == "bfloat16"},
        # torch's AdamW instead of DeepSpeed's: theirs compiles C++ at first use (108 s, and needs a compiler).
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
        "zero_optimization": _zero(settings),
        # Tags are ours and equal by construction; the check costs two all-reduces for each save.
        "checkpoint": {"load_universal": settings.load_universal, "tag_validation": "IGNORE"},
    }
    return _merged(config, overrides)


def clips_by_itself(settings: EngineSettings) -> bool:
    """Whether our loop clips: plain fp32 ZeRO-0, where DeepSpeed clips but tells nobody the norm (0.19.8)."""
    return settings.zero_stage == 0 and settings.dtype == "float32"


def _zero(settings: EngineSettings) -> dict[str, Any]:
    zero: dict[str, Any] = {
        "stage": settings.zero_stage,
        "contiguous_gradients": True,
        # Overlap uses a CUDA stream of its own; on CPU there is none and it only costs copies.
        "overlap_comm": settings.on_gpu,
        "reduce_bucket_size": 50_000_000,
        "allgather_bucket_size": 50_000_000,
    }
    if settings.zero_stage == 3:
        # The values that Accelerate derives for "auto": prefetch 0.9·h², persistence 10·h.
        zero["stage3_prefetch_bucket_size"] = int(0.9 * settings.hidden_size**2)
        zero["stage3_param_persistence_threshold"] = 10 * settings.hidden_size
        zero["stage3_gather_16bit_weights_on_model_save"] = True
    if settings.offload in ("optimizer", "parameters"):
        zero["offload_optimizer"] = {"device": "cpu", "pin_memory": settings.on_gpu}
    if settings.offload == "parameters":
        zero["offload_param"] = {"device": "cpu", "pin_memory": settings.on_gpu}
    return zero


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merged(merged[key], value) if both else value
    return merged
