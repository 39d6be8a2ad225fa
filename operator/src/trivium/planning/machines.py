"""How many pods, ranks and bytes a stage gets, from the job and the profile."""

from dataclasses import dataclass

from trivium.api import ComputeProfile, Job, PretrainJob
from trivium.planning.batch import allowed_world_sizes
from trivium.planning.memory import CPU_FRAMEWORK_BYTES
from trivium.planning.refusal import PlanError


@dataclass(frozen=True, slots=True, kw_only=True)
class Machines:
    """The workers of one stage."""

    workers: int
    min_workers: int
    """Training goes on with this many when the others are lost; equal to `workers` where the job does not say."""
    gpus_per_worker: int
    """0 on CPU: one rank per worker then, else one rank per GPU."""
    device_bytes: int
    """Memory of one rank's device: a GPU's, or on CPU the worker's."""
    host_bytes: int
    """What one rank may keep in its pod's memory beside its own process."""

    @property
    def ranks_per_worker(self) -> int:
        return max(1, self.gpus_per_worker)

    @property
    def world_size(self) -> int:
        return self.workers * self.ranks_per_worker

    @property
    def world_sizes(self) -> tuple[int, ...]:
        """Every number of ranks that the run may have, from the smallest."""
        return allowed_world_sizes(
            min_workers=self.min_workers, workers=self.workers, ranks_per_worker=self.ranks_per_worker
        )


def training_machines(job: Job, *, profile: ComputeProfile, workers: int | None = None) -> Machines:
    """The workers of a training stage. `workers` overrides the job's number (a smaller machine, an edit)."""
    compute, gpu = job.spec.compute, profile.spec.gpu
    count = workers or compute.workers
    fewest = min(count, compute.min_workers or count)
    pod_bytes = profile.spec.worker.memory.to_int()
    if gpu is None:
        if compute.gpus_per_worker is not None:
            raise PlanError(
                "spec.compute.gpusPerWorker",
                f"{compute.gpus_per_worker}, but profile {profile.metadata.name} has no GPUs",
                "Remove gpusPerWorker, or choose a profile with GPUs.",
            )
        return Machines(
            workers=count, min_workers=fewest, gpus_per_worker=0, device_bytes=pod_bytes, host_bytes=pod_bytes
        )
    gpus = compute.gpus_per_worker or gpu.per_node
    if gpus > gpu.per_node:
        raise PlanError(
            "spec.compute.gpusPerWorker",
            f"{gpus}, but a node of profile {profile.metadata.name} has {gpu.per_node} GPUs",
            f"Set gpusPerWorker: {gpu.per_node} and raise workers.",
        )
    host = max(0, pod_bytes // gpus - CPU_FRAMEWORK_BYTES)
    return Machines(
        workers=count,
        min_workers=fewest,
        gpus_per_worker=gpus,
        device_bytes=gpu.memory.to_int(),
        host_bytes=host,
    )


def prepare_workers(job: Job) -> int:
    """Pods that tokenize: as many as will train for pre-training's large texts, one for the rest."""
    return job.spec.compute.workers if isinstance(job, PretrainJob) else 1


def stage_profile_name(stage: str, *, profile: ComputeProfile) -> str:
    """Name of the profile that a stage runs on: `prepare` needs no GPU."""
    return profile.spec.prepare_profile or profile.metadata.name if stage == "prepare" else profile.metadata.name
