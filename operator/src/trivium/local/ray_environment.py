"""The environment of an attempt's driver: what the pod template says, plus a Ray of its own on this machine."""

import json
import os
import secrets
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from trivium.local.machine import Machine
from trivium.local.mounts import ContainerConfigError

# Not handed down from the caller's shell: another Ray's address or token would tie this attempt to that Ray.
_OWN_PREFIXES = ("RAY_", "TRIVIUM_", "KUBERNETES_")
_MEBI = 1024 * 1024


def ray_arguments(machine: Machine, *, temporary: Path) -> dict[str, Any]:
    """Keyword arguments of ray.init for a private Ray; every port is left to the system."""
    return {
        "num_cpus": machine.cores,
        "include_dashboard": False,
        # Ray Data wants room; a machine's memory belongs to training. An eighth, within sensible bounds.
        "object_store_memory": max(128 * _MEBI, min(1024 * _MEBI, machine.memory_bytes // 8)),
        "_temp_dir": str(temporary),
    }


def driver_environment(
    base: Mapping[str, str],
    pod: Mapping[str, Any],
    *,
    field: Callable[[str], str],
    translate: Callable[[str], str | None],
    mount_root: Path,
    ray: Mapping[str, Any],
) -> dict[str, str]:
    """Variables of the driver, in the pod's order of precedence. Raises ContainerConfigError.

    `base` is this process's environment; `field` answers a downward-API path; `translate` maps values that are mounted
    paths (mounts.PodMounts.translate).
    """
    inherited = {name: value for name, value in base.items() if not name.startswith(_OWN_PREFIXES)}
    declared: dict[str, str] = {}
    for name, value in _declared(pod["containers"][0].get("env", []), field):
        translated = translate(_expand(value, declared))
        if translated is not None:
            declared[name] = translated
    # `python` in an entrypoint is the interpreter that runs trivium: in a pod, too, both come from one image.
    path = os.pathsep.join([str(Path(sys.executable).parent), inherited.get("PATH", os.defpath)])
    own = {
        "PATH": path,
        "PYTHONUNBUFFERED": "1",
        "RAY_ADDRESS": "local",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_USAGE_STATS_ENABLED": "0",
        # Ray runs its workers at nice 15; a browser in the foreground then leaves training a twentieth of a core.
        "RAY_worker_niceness": "0",
        "TRIVIUM_LOCAL_RAY": json.dumps(ray),
        "TRIVIUM_MOUNT_ROOT": str(mount_root),
    }
    return inherited | declared | own


def _declared(variables: Iterable[Mapping[str, Any]], field: Callable[[str], str]) -> Iterable[tuple[str, str]]:
    for variable in variables:
        match variable:
            case {"name": str(name), "value": str(value)}:
                yield name, value
            case {"name": str(name), "valueFrom": {"fieldRef": {"fieldPath": str(path)}}}:
                yield name, field(path)
            case {"name": str(name), "valueFrom": source}:
                raise ContainerConfigError(f"env {name}: {', '.join(source)} is not offered on this machine")
            case {"name": str(name)}:
                yield name, ""


def _expand(value: str, known: Mapping[str, str]) -> str:
    """Kubernetes' `$(NAME)` of variables that were declared before."""
    for name, text in known.items():
        value = value.replace(f"$({name})", text)
    return value
