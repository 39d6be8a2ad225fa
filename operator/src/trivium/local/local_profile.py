"""The compute profile that stands for every profile here: this machine, cut into as many workers as its jobs want."""

import importlib.metadata
import importlib.util
from collections.abc import Iterable

from trivium.api.resource import API_VERSION
from trivium.local.fitting import LOCAL_PROFILE, profile_name
from trivium.local.machine import Machine
from trivium.local.object_store import Object
from trivium.ports import Manifest

RUNS_CLAIM = "runs"
_MEBI = 1024 * 1024
_USABLE_MEMORY = 0.8  # the rest is the driver's, Ray's and the desktop's: a guess
_URI_SCHEMES = ("file", "s3", "gs", "gcs", "az", "abfs", "abfss", "http", "https", "hf", "memory")


def local_profiles(jobs: Iterable[Manifest], machine: Machine) -> list[Object]:
    """`local`, and one of the same content for every other profile that a job names."""
    workers = {LOCAL_PROFILE: 1}
    for job in jobs:
        name = profile_name(job)
        wanted = (job["spec"].get("compute") or {}).get("workers", 1)
        workers[name] = max(workers.get(name, 1), min(int(wanted), machine.cores))
    return [_profile(name, machine, workers=count) for name, count in sorted(workers.items())]


def _profile(name: str, machine: Machine, *, workers: int) -> Object:
    """A profile whose worker is one of `workers` equal parts of the machine."""
    memory = f"{int(machine.memory_bytes * _USABLE_MEMORY) // workers // _MEBI}Mi"
    return {
        "apiVersion": API_VERSION,
        "kind": "ComputeProfile",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/managed-by": "trivium-run"}},
        "spec": {
            "default": name == LOCAL_PROFILE,
            # No image is pulled: the interpreter that runs trivium runs the trainer too.
            "image": f"local/trivium-trainer:{importlib.metadata.version('trivium')}",
            "rayVersion": importlib.metadata.version("ray"),
            "storage": {"runs": {"claimName": RUNS_CLAIM}},
            "features": ["bitsandbytes"] if importlib.util.find_spec("bitsandbytes") else [],
            "head": {"cpu": "1", "memory": "1Gi"},
            "worker": {"cpu": str(machine.cores // workers), "memory": memory},
            # It is the user's own machine: what it may run and reach is the user's own decision.
            "policy": {"trustRemoteCode": True, "uriSchemes": list(_URI_SCHEMES)},
        },
    }
