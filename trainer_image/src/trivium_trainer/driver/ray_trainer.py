"""Ray Train's trainer, set up for one attempt. Importing this imports ray.train (pandas and ray.data: some seconds)."""

from typing import Any

import ray.train

# Ray 2.60 exports this class only as the base of TorchTrainer, whose module imports torch.
from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

from trivium_trainer.config import Parallelism
from trivium_trainer.driver.elastic_policy import LivingNodesPolicy
from trivium_trainer.driver.rank import RankTask, run_rank
from trivium_trainer.driver.rendezvous import ProcessGroupConfig
from trivium_trainer.driver.restart_policy import RestartPolicy

NEVER = float("inf")

CONTROLLER_FAILURE_LIMIT = 3
"""Worker groups that never came up (a node lost while it started); a guess that bounds Ray's endless default."""


class AttemptTrainer(DataParallelTrainer):
    """With our policy for elastic groups, and without Ray's PlacementGroupCleaner.

    That is a process that outlives the controller to free its placement group; here the cluster ends with the attempt.
    It asks the state API every second and complains in our log where there is no dashboard. Ray 2.60: private names,
    guarded by tests/training/driver/test_driver_ray_contract.py and test_lost_node.py.
    """

    def _create_default_callbacks(self) -> list[Any]:
        callbacks = super()._create_default_callbacks()
        return [callback for callback in callbacks if type(callback).__name__ != "PlacementGroupCleanerCallback"]

    def _initialize_and_run_controller(self, **parts: Any) -> Any:
        if self.scaling_config.elasticity_enabled:
            parts["scaling_policy"] = LivingNodesPolicy(self.scaling_config)
        return super()._initialize_and_run_controller(**parts)


def build_trainer(task: RankTask, parallelism: Parallelism) -> AttemptTrainer:
    """One worker a rank; endless retries for Ray, which RestartPolicy ends; no checkpoint is ever given to Ray.

    With `min_workers` a start takes as many ranks as the cluster offers between the two numbers. A run that goes well
    is never resized: growing would cost it everything since its last checkpoint, so it grows at its next start.
    """
    gpu = parallelism.gpus_per_worker > 0
    return AttemptTrainer(
        run_rank,
        train_loop_config={"task": task},
        backend_config=ProcessGroupConfig(),
        scaling_config=ray.train.ScalingConfig(
            num_workers=num_workers(parallelism),
            elastic_resize_monitor_interval_s=NEVER,
            use_gpu=gpu,
            resources_per_worker={"CPU": parallelism.cpus_per_rank, **({"GPU": 1} if gpu else {})},
        ),
        run_config=ray.train.RunConfig(
            # A name of its own for each attempt: Ray would restore what it knows under an old one.
            name=task.attempt.name,
            storage_path=str(task.attempt.stage.attempts),
            failure_config=ray.train.FailureConfig(max_failures=-1, controller_failure_limit=CONTROLLER_FAILURE_LIMIT),
            callbacks=[RestartPolicy(task.attempt)],
            # Ray Train's errors are ours to tell: the ranks and the callback log each with its class.
            logging_config=ray.train.LoggingConfig(log_level="CRITICAL"),
        ),
    )


def num_workers(parallelism: Parallelism) -> int | tuple[int, int]:
    """Ray workers, one for each rank: a fixed number, or the least and the most."""
    per_worker = max(1, parallelism.gpus_per_worker)
    most = parallelism.workers * per_worker
    return most if parallelism.min_workers is None else (parallelism.min_workers * per_worker, most)
