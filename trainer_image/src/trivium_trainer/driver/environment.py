"""Settings of the libraries that must stand before they are imported, and what a run ran with."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version

# The pod template sets the same (facts of Ray Train 2.60); here for a run by hand. Never over what is set already.
DEFAULTS = {
    # The controller polls the ranks this often: it is the delay with which an end or a death is noticed.
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.25",
    # Else every line of a rank is printed twice.
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",
    # No terminal codes in logs that Kubernetes keeps.
    "RAY_COLOR_PREFIX": "0",
    # Repeated lines are information: two ranks that say the same are two ranks.
    "RAY_DEDUP_LOGS": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    # Ray 2.60 warns that it will stop hiding GPUs from processes that asked for none; the new behavior suits us.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # Hub kernels are binaries fetched at run time.
    "USE_HUB_KERNELS": "0",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}

PACKAGES = (
    "torch",
    "deepspeed",
    "transformers",
    "trl",
    "peft",
    "ray",
    "tokenizers",
    "safetensors",
    "accelerate",
    "numpy",
    "bitsandbytes",
    "flash-attn",
    "liger-kernel",
)


def set_defaults() -> None:
    """Call before importing ray, torch or transformers."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)


def describe_environment(*, device: str = "cpu") -> dict[str, str]:
    """Versions, machine and cores, for the report. Names only; never the environment's variables."""
    found = {"python": platform.python_version(), "platform": platform.platform(), "device": device}
    found["cores"] = str(len(os.sched_getaffinity(0)))
    for name in ("trivium", *PACKAGES):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
