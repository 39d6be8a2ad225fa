"""One rank's view of one run: what every part of the engine is given instead of a dozen arguments."""

from dataclasses import dataclass
from typing import Any

from trivium_trainer.checkpoint.inventory import read_skips
from trivium_trainer.config import Optimization, Parallelism, RunConfig, SkipWindow, WorldSize
from trivium_trainer.data.order import DataOrder
from trivium_trainer.data.prepared import Prepared, open_prepared
from trivium_trainer.engine.deepspeed_config import EngineSettings
from trivium_trainer.engine.footprint import baseline_bytes
from trivium_trainer.engine.random_state import make_deterministic
from trivium_trainer.engine.ranks import Ranks, join
from trivium_trainer.failure import FailureClass, TrainingError
from trivium_trainer.layout import StageDirectory, run_directory
from trivium_trainer.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Everything that is fixed before the first step."""

    config: RunConfig
    session: Session
    ranks: Ranks
    stage: StageDirectory
    prepared: Prepared
    size: WorldSize
    order: DataOrder
    skips: tuple[SkipWindow, ...]
    """Data that is left out, in the order's own terms; see checkpoint/rollback.py."""
    baseline_bytes: int
    """Main memory of this rank before it has a model; see engine/footprint.py."""

    @property
    def optimization(self) -> Optimization:
        assert self.config.optimization is not None  # RunConfig's validator: stage train has it
        return self.config.optimization

    @property
    def parallelism(self) -> Parallelism:
        assert self.config.parallelism is not None  # as above
        return self.config.parallelism

    @property
    def zero_stage(self) -> int:
        return self.parallelism.zero_stage

    @property
    def on_gpu(self) -> bool:
        return self.parallelism.gpus_per_worker > 0

    def engine_settings(self, *, load_universal: bool) -> EngineSettings:
        """What DeepSpeed's configuration is built from."""
        return EngineSettings(
            zero_stage=self.parallelism.zero_stage,
            offload=self.parallelism.offload,
            dtype=self.config.model.dtype,
            on_gpu=self.on_gpu,
            world_size=self.size.world_size,
            micro_batch_size=self.size.micro_batch_size,
            gradient_accumulation=self.size.gradient_accumulation,
            gradient_clip=self.optimization.gradient_clip,
            hidden_size=_hidden_size(self.prepared.model_config),
            load_universal=load_universal,
        )


def open_run(config: RunConfig, session: Session) -> Run:
    """Join the process group and open what stage prepare left."""
    assert config.parallelism is not None
    assert config.optimization is not None
    ranks = join(
        rank=session.rank,
        world_size=session.world_size,
        local_rank=session.local_rank,
        on_gpu=config.parallelism.gpus_per_worker > 0,
    )
    if config.optimization.deterministic:
        make_deterministic()
    stage = run_directory(config).stage("train")
    prepared = open_prepared(config)
    skips = ranks.broadcast(read_skips(stage.checkpoints, config.skips) if ranks.is_first else None)
    optimization = config.optimization
    return Run(
        config=config,
        session=session,
        ranks=ranks,
        stage=stage,
        prepared=prepared,
        size=size_for(config.parallelism, world_size=session.world_size),
        order=prepared.order(global_batch_size=optimization.global_batch_size, seed=optimization.seed, skips=skips),
        skips=skips,
        baseline_bytes=baseline_bytes(on_gpu=config.parallelism.gpus_per_worker > 0),
    )


def is_complete(run: Run) -> bool:
    """Whether an earlier attempt has published the output: then there is nothing left to do. Collective."""
    published = (run.stage.output / "output.json").is_file() if run.ranks.is_first else None
    return bool(run.ranks.broadcast(published))


def size_for(parallelism: Parallelism, *, world_size: int) -> WorldSize:
    """How the global batch is cut for this many ranks. Raises TrainingError(UserError) if nobody planned for it."""
    for size in parallelism.sizes:
        if size.world_size == world_size:
            return size
    planned = ", ".join(str(size.world_size) for size in parallelism.sizes)
    raise TrainingError(
        FailureClass.USER_ERROR,
        "WorldSizeNotPlanned",
        f"parallelism.sizes: {world_size} ranks started, and the plan knows {planned}.",
        remedy="Choose compute.workers and minWorkers so that every number of workers between them was planned.",
    )


def _hidden_size(model_config: dict[str, Any]) -> int:
    """Features of the residual stream, under the names that causal models give it; 1,024 where it has another."""
    nested = model_config.get("text_config") or {}
    for name in ("hidden_size", "n_embd", "d_model"):
        if name in model_config or name in nested:
            return int(model_config.get(name) or nested[name])
    return 1024
