"""`trivium version`."""

import importlib.metadata

_SHOWN = ("trivium", "ray", "torch", "deepspeed", "transformers", "trl", "peft")


def version() -> None:
    """Show the version of trivium, and of what trains on this machine."""
    for name in _SHOWN:
        try:
            print(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            print(f"{name} (not installed)")
