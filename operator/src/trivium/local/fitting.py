"""A job made to fit this machine: fewer workers, no GPUs, the one local profile. What is trained stays the same."""

from collections.abc import Mapping, Sequence
from typing import Any

from trivium.api import parse_job
from trivium.local.machine import Machine
from trivium.local.object_store import Object
from trivium.ports import Manifest

LOCAL_PROFILE = "local"


def fit_job(manifest: Manifest, machine: Machine) -> tuple[Object, Sequence[str]]:
    """The job as it can run here, and one sentence for each thing that was changed. The manifest must be valid."""
    job = parse_job(manifest)
    spec: dict[str, Any] = dict(manifest["spec"])
    compute: dict[str, Any] = dict(spec.get("compute") or {})
    notes: list[str] = []
    if compute.pop("gpusPerWorker", None) is not None:
        notes.append("compute.gpusPerWorker is left out: this machine trains on its cores.")
    queueing = [field for field in ("queue", "priority") if compute.pop(field, None) is not None]
    notes.extend(f"compute.{field} is left out: on one machine nothing waits for quota." for field in queueing)
    micro_batch = job.spec.optimization.micro_batch_size
    workers = workers_that_fit(
        wanted=job.spec.compute.workers,
        cores=machine.cores,
        global_batch=job.spec.optimization.global_batch_size,
        micro_batch=micro_batch if isinstance(micro_batch, int) else 1,
    )
    if workers != job.spec.compute.workers:
        compute["workers"] = workers
        notes.append(
            f"compute.workers: {job.spec.compute.workers} becomes {workers} on {_cores(machine)}; "
            f"globalBatchSize stays {job.spec.optimization.global_batch_size}."
        )
    if job.spec.compute.min_workers is not None and workers != job.spec.compute.workers:
        del compute["minWorkers"]
        notes.append("compute.minWorkers is left out: on one machine there are no workers to lose.")
    if not notes:
        return dict(manifest), ()
    return {**manifest, "spec": {**spec, "compute": compute}}, notes


def workers_that_fit(*, wanted: int, cores: int, global_batch: int, micro_batch: int) -> int:
    """The largest number of workers, at most one a core, among which the global batch divides without a remainder."""
    if wanted <= cores:
        return wanted
    fitting = (n for n in range(cores, 0, -1) if global_batch % (n * micro_batch) == 0)
    return next(fitting, 1)


def _cores(machine: Machine) -> str:
    return "1 core" if machine.cores == 1 else f"{machine.cores} cores"


def profile_name(manifest: Manifest) -> str:
    """The profile that a job names, `local` where it names none."""
    compute: Mapping[str, Any] = manifest["spec"].get("compute") or {}
    return str(compute.get("profile") or LOCAL_PROFILE)
