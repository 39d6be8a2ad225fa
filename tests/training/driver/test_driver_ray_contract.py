"""What the driver relies on in Ray Train 2.60 beyond its public surface, and what it must not load."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow


def test_the_entrypoint_loads_neither_ray_nor_torch():
    program = "import sys, trivium_trainer.__main__ as m; print(sorted({'ray','torch','transformers','numpy'} & sys.modules.keys()))"
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "[]"


def test_rays_trainer_is_built_without_torch_and_without_the_process_that_cleans_placement_groups():
    program = """
import pickle, sys
from pathlib import Path
from trivium_trainer.config import Parallelism
from trivium_trainer.driver.ledger import Attempt
from trivium_trainer.driver.rank import RankTask
from trivium_trainer.driver.ray_trainer import build_trainer
from trivium_trainer.layout import StageDirectory
from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer
sizes = [{"world_size": 2, "micro_batch_size": 1, "gradient_accumulation": 1}]
attempt = Attempt(stage=StageDirectory(Path(sys.argv[1])), name="one")
trainer = build_trainer(RankTask(config=None, attempt=attempt), Parallelism(workers=2, sizes=sizes))
ours = {type(callback).__name__ for callback in trainer._create_default_callbacks()}
theirs = {type(callback).__name__ for callback in DataParallelTrainer._create_default_callbacks(trainer)}
print(sorted(theirs - ours), "torch" in sys.modules)
sizes += [{"world_size": 4, "micro_batch_size": 1, "gradient_accumulation": 1}]
for least, gpus in ((None, 0), (1, 2)):
    shape = Parallelism(workers=2, min_workers=least, gpus_per_worker=gpus, sizes=sizes)
    scaling = build_trainer(RankTask(config=None, attempt=attempt), shape).scaling_config
    print(scaling.num_workers, scaling.elastic_resize_monitor_interval_s)
"""
    output = subprocess.check_output([sys.executable, "-c", program, "/tmp"], text=True)
    # Elastic in whole workers of two GPUs, and never resized while it goes well.
    assert output.splitlines() == ["['PlacementGroupCleanerCallback'] False", "2 inf", "(2, 4) inf"]
