"""Variables of the Ray containers. The embedded cluster reads them from the same manifests."""

from math import floor

from trivium.api.compute_profile import ComputeProfileSpec
from trivium.render import paths
from trivium.render.attempt import AttemptInput, Manifest
from trivium_trainer.config import LIBRARY_SETTINGS

_ALWAYS = {
    **LIBRARY_SETTINGS,
    "PYTHONUNBUFFERED": "1",
    # The user has no entry in /etc/passwd; getpass.getuser() and torch's inductor ask for a name.
    "USER": "trivium",
    "HOME": paths.SCRATCH,
    "TRITON_CACHE_DIR": f"{paths.SCRATCH}/triton",
    "TORCHINDUCTOR_CACHE_DIR": f"{paths.SCRATCH}/inductor",
    "TORCH_EXTENSIONS_DIR": f"{paths.SCRATCH}/torch-extensions",
    "XDG_CACHE_HOME": f"{paths.SCRATCH}/cache",
    "MPLCONFIGDIR": f"{paths.SCRATCH}/matplotlib",
    "TMPDIR": paths.TEMPORARY,
}


def cpus_per_rank(profile: ComputeProfileSpec, *, ranks: int) -> int:
    """Whole cores of a worker that one rank may use; at least one, even where the worker has less."""
    return max(1, floor(profile.worker.cpu.to_decimal() / max(1, ranks)))


def ray_environment(attempt: AttemptInput, *, gpu: bool) -> list[Manifest]:
    """For head and workers; `gpu`: whether this pod has any.

    What the platform sets stands, except where our own value carries the run.
    """
    own = {
        **_ALWAYS,
        "HF_HOME": paths.SHARED_HUB_CACHE if attempt.profile.pod.cache_claim else paths.HUB_CACHE,
        "OMP_NUM_THREADS": str(cpus_per_rank(attempt.profile, ranks=attempt.plan.gpus_per_worker)),
        "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": str(attempt.job.spec.compute.worker_start_timeout_seconds),
        "DS_ACCELERATOR": "cuda" if gpu else "cpu",
    }
    if not gpu:
        # Images for GPUs say `all`, and a node's runtime would then show GPUs to a pod that asked for none.
        own["NVIDIA_VISIBLE_DEVICES"] = "void"
    network = attempt.profile.network.environment if attempt.profile.network is not None and gpu else {}
    merged = {**attempt.profile.pod.environment, **network, **own}
    return [{"name": name, "value": merged[name]} for name in sorted(merged)]


def submitter_environment(profile: ComputeProfileSpec) -> list[Manifest]:
    """For the pod that hands the entrypoint to Ray and follows its log."""
    own = {"HOME": paths.TEMPORARY, "USER": "trivium", "RAY_USAGE_STATS_ENABLED": "0"}
    merged = {**profile.pod.environment, **own}
    return [{"name": name, "value": merged[name]} for name in sorted(merged)]
