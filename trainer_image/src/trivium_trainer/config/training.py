"""How a run trains: what is trained, by which loss and optimizer, on how many ranks."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from trivium_trainer.config.block import Block, Fraction, Natural, Positive


class Lora(Block):
    """Low-rank adaptation, in PEFT's terms."""

    rank: Positive = 16
    alpha: Annotated[float, Field(gt=0)] = 32
    dropout: Fraction = 0.0
    target_modules: Literal["all-linear"] | list[str] = "all-linear"


class Adapter(Block):
    """Absent: full fine-tuning."""

    lora: Lora = Lora()
    quantization: Literal["none", "nf4"] = "none"


class Optimization(Block):
    """The optimizer and its schedule, all resolved: the planner has turned epochs or tokens into steps."""

    total_steps: Positive
    global_batch_size: Positive
    """Sequences (preference: pairs) per optimizer step, whatever the number of GPUs."""
    learning_rate: Annotated[float, Field(gt=0)]
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    minimum_learning_rate_fraction: Fraction = 0.1
    warmup_fraction: Fraction = 0.03
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    gradient_clip: Annotated[float, Field(ge=0)] = 1.0
    """0 = no clipping."""
    optimizer: Literal["adamw"] = "adamw"
    beta1: Fraction = 0.9
    beta2: Fraction = 0.999
    epsilon: Annotated[float, Field(gt=0)] = 1e-8
    seed: int = 42
    deterministic: bool = False


class DpoLoss(Block):
    """One term of the preference loss, in TRL's names."""

    type: Literal["sigmoid", "hinge", "ipo", "robust", "exo_pair", "apo_zero", "apo_down", "sft"]
    weight: Annotated[float, Field(gt=0)] = 1.0


class Dpo(Block):
    """Direct preference optimization."""

    beta: Annotated[float, Field(gt=0)] = 0.1
    losses: list[DpoLoss] = [DpoLoss(type="sigmoid")]
    label_smoothing: Annotated[float, Field(ge=0, lt=0.5)] = 0.0
    reference: Literal["live", "precomputed"] = "live"


class WorldSize(Block):
    """How the global batch is cut for one number of ranks. The product of the three is globalBatchSize."""

    world_size: Positive
    micro_batch_size: Positive
    gradient_accumulation: Positive


class Parallelism(Block):
    """How many ranks there are and how ZeRO divides the state among them."""

    workers: Positive = 1
    min_workers: Positive | None = None
    """With fewer workers than `workers` the run goes on, as long as this many are there. None: all or nothing."""
    gpus_per_worker: Natural = 0
    """0 = CPU with gloo; one rank per worker then, else one rank per GPU."""
    cpus_per_rank: Annotated[float, Field(gt=0)] = 1
    sizes: list[WorldSize] = Field(min_length=1)
    """One for each world size that may occur: with `min_workers`, for each number of workers from it to `workers`."""
    zero_stage: Literal[0, 1, 2, 3] = 2
    offload: Literal["none", "optimizer", "parameters"] = "none"
    gradient_checkpointing: bool = False
    deepspeed: dict[str, Any] = {}
    """Keys of the job's allow-list, merged over ours."""
    worker_start_timeout_seconds: Positive = 600
    """How long workers may take to come up; with `min_workers` also how long the missing ones are waited for."""

    @model_validator(mode="after")
    def _every_elastic_size_is_planned(self) -> Self:
        if self.min_workers is None:
            return self
        if self.min_workers > self.workers:
            raise ValueError(f"parallelism.minWorkers: {self.min_workers} is more than workers: {self.workers}")
        planned = {size.world_size for size in self.sizes}
        for workers in range(self.min_workers, self.workers + 1):
            if workers * max(1, self.gpus_per_worker) not in planned:
                raise ValueError(f"parallelism.sizes: nothing is planned for {workers} workers; minWorkers allows them")
        return self
