"""Stage `train` in the driver: a worker group under Ray Train, one rank per GPU, or per worker on CPUs."""

import importlib
import logging
import os
import threading

from trivium_trainer.config import Parallelism, RunConfig
from trivium_trainer.driver.classify import classify
from trivium_trainer.driver.cluster import ray_cluster, require_local_capacity, set_cluster_defaults
from trivium_trainer.driver.ledger import Attempt
from trivium_trainer.driver.rank import RankTask, TrainFunction
from trivium_trainer.driver.stage_result import StageFailedError, StageResult
from trivium_trainer.failure import Failure, FailureClass, TrainingError

log = logging.getLogger(__name__)


def train_stage(config: RunConfig, attempt: Attempt, *, train: TrainFunction | None) -> StageResult:
    """Run the recipe on all ranks until it completes or was told to stop.

    Raises StageFailedError with the failure that ended the attempt, or TrainingError before a rank started.
    """
    parallelism = config.parallelism
    assert parallelism is not None, "stage train has parallelism: RunConfig checks it"
    timeout = str(parallelism.worker_start_timeout_seconds)
    os.environ.setdefault("RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S", timeout)
    set_cluster_defaults()
    # Ray Train pulls in pandas and ray.data (some two seconds): loaded while ray.init waits for its processes.
    preload = threading.Thread(
        target=importlib.import_module, args=("trivium_trainer.driver.ray_trainer",), daemon=True
    )
    preload.start()
    with ray_cluster():
        preload.join()
        ranks = (parallelism.min_workers or parallelism.workers) * max(1, parallelism.gpus_per_worker)
        gpus = ranks if parallelism.gpus_per_worker else 0
        require_local_capacity(ranks=ranks, cpus_per_rank=parallelism.cpus_per_rank, gpus=gpus)
        return _fit(RankTask(config=config, attempt=attempt, train=train), parallelism)


def _fit(task: RankTask, parallelism: Parallelism) -> StageResult:
    # ray.train imports pandas and ray.data: seconds, so never where nothing is trained.
    from trivium_trainer.driver.ray_trainer import build_trainer  # noqa: PLC0415 - after the first report, not before it

    try:
        result = build_trainer(task, parallelism).fit()
    except Exception as error:
        raise StageFailedError(explain_fit_error(error)) from error
    return StageResult(**result.return_value)


def explain_fit_error(error: Exception) -> Failure:
    """The failure behind what `fit()` raised; AttemptEndedError, wherever Ray wrapped it, is the last word."""
    cause: BaseException | None = error
    while cause is not None:
        failure = getattr(cause, "failure", None)
        if isinstance(failure, Failure):
            return failure
        cause = getattr(cause, "controller_failure", None) or cause.__cause__
    text = f"{type(error).__name__} {error}"
    if "WorkerGroupStartup" in text or "worker group startup" in text or "InsufficientClusterResources" in text:
        return TrainingError(
            FailureClass.INFRASTRUCTURE,
            "WorkersDidNotStart",
            f"compute.workers: the worker group did not come up: {str(error).strip().splitlines()[-1][:300]}",
            remedy="Look at the worker pods' events; raise compute.workerStartTimeoutSeconds if images load slowly.",
        ).to_failure()
    if type(error).__name__ in ("ActorDiedError", "RayActorError", "PreemptionError"):
        return TrainingError(
            FailureClass.INFRASTRUCTURE,
            "HeadLost",
            "Ray Train's controller went away with its process or node.",
            remedy="A new attempt goes on from the newest checkpoint.",
        ).to_failure()
    return classify(error).to_failure()
