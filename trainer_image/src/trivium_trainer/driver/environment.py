"""Settings of the libraries that must stand before they are imported, and what a run ran with."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version

from trivium_trainer.config import LIBRARY_SETTINGS

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
    for name, value in LIBRARY_SETTINGS.items():
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
