"""RunConfig: everything the trainer is told. Pydantic only; the operator renders it, the trainer obeys it.

It holds nothing that changes between the attempts of one RayJob: the attempt's number and the remaining restart budget
come in the answer to the first progress report. Paths are absolute inside the pod; the trainer resolves them under
`TRIVIUM_MOUNT_ROOT` (default `/`), so a laptop needs no mounts.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

# Facts of Ray Train 2.60 and the Hugging Face libraries, measured. The pod template sets them; a run by hand gets them
# from the driver, never over what is set already.
LIBRARY_SETTINGS = {
    # The controller polls the ranks this often: it is the delay with which an end or a death is noticed.
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.25",
    # Else every line of a rank is printed twice.
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",
    # No terminal codes in logs that Kubernetes keeps.
    "RAY_COLOR_PREFIX": "0",
    # Repeated lines are information: two ranks that say the same are two ranks.
    "RAY_DEDUP_LOGS": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    # Ray 2.60 warns that it will stop hiding GPUs from processes that asked for none; the new behavior suits us.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # Hub kernels are binaries fetched at run time.
    "USE_HUB_KERNELS": "0",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}

Positive = Annotated[int, Field(gt=0)]
Natural = Annotated[int, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]


class Block(BaseModel):
    """camelCase outside, snake_case inside, unknown fields refused, values frozen."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
    )


class JobIdentity(Block):
    """Whose run this is; the run directory's path and record are made of it."""

    kind: Literal["PretrainJob", "SFTJob", "PreferenceJob"]
    namespace: str
    name: str
    uid: str
    spec_digest: str
    """SHA-256 of the immutable part of the spec; a run directory whose record differs is refused."""


class HubSource(Block):
    """A repository of the Hugging Face hub."""

    repo: str
    revision: str = "main"
    config: str | None = None
    """Data set configuration; data sources only."""
    credential_file: str | None = None


class Source(Block):
    """Where bytes come from: exactly one of hub, uri, path."""

    hub: HubSource | None = None
    uri: str | None = None
    credential_file: str | None = None
    """For `uri`: a mounted JSON file with the storage options of the fsspec file system."""
    path: str | None = None
    """A mounted file or folder: a claim, a ConfigMap, or the `model/` of an upstream stage."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(value is not None for value in (self.hub, self.uri, self.path)) != 1:
            raise ValueError("a source is exactly one of hub, uri, path")
        return self


class TrainTokenizer(Block):
    """A byte-level BPE tokenizer trained on the training text by `prepare`."""

    vocab_size: Annotated[int, Field(ge=300, le=1_000_000)]
    algorithm: Literal["bpe"] = "bpe"


class Architecture(Block):
    """A model from scratch: a preset's name or a Hugging Face config (`model_type` and its fields)."""

    preset: str | None = None
    config: dict[str, Any] | None = None


class Model(Block):
    """The model a job starts from: `source`, or `architecture` with a tokenizer of its own."""

    source: Source | None = None
    architecture: Architecture | None = None
    tokenizer_source: Source | None = None
    tokenizer_train: TrainTokenizer | None = None
    dtype: Literal["float32", "bfloat16"] = "float32"
    attention: Literal["flash_attention_2", "sdpa", "eager"] = "sdpa"
    liger: bool = False
    compile: bool = False
    trust_remote_code: bool = False


class DataFiles(Block):
    """Which files of the source, and what they are."""

    glob: str = "**/*"
    type: Literal["jsonl", "parquet", "text"] | None = None
    """None: by suffix (.jsonl, .json, .parquet, .txt, .md, .py, .rst = text)."""


class DataSource(Block):
    """One source of rows."""

    name: str
    """Shown in reports and errors, `train[0]` when the job gives none."""
    source: Source
    files: DataFiles = DataFiles()
    format: Literal["auto", "text", "instruction", "promptCompletion", "messages", "preference"] = "auto"
    split: str = "train"
    weight: Annotated[float, Field(gt=0)] = 1.0
    max_rows: Positive | None = None
    columns: dict[str, str] = {}
    """Our name -> the column's name in the file, e.g. {"output": "response"}."""


class Data(Block):
    """What is read, how it is cut, and what of it is trained."""

    train: list[DataSource] = Field(min_length=1)
    evaluation: list[DataSource] = []
    evaluation_fraction: Fraction = 0.0
    """Held out by hash of the prompt (chat: first user turn; text: the document), before packing."""
    on_bad_record: Literal["fail", "skip"] = "fail"
    max_length: Positive = 1024
    packing: Literal["auto", "on", "off"] = "auto"
    loss: Literal["assistant", "completion", "all"] = "assistant"
    chat_template: str | None = None
    """Jinja text that replaces the tokenizer's own template."""
    prepare_workers: Positive = 1


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


class Evaluation(Block):
    """One held-out loss per data set, by tokens."""

    every_steps: Positive | None = None
    """None: before, at a tenth of the run each, and after."""
    max_samples: Positive = 1000
    keep_best: bool = False
    early_stopping_patience: Positive | None = None


class Sampling(Block):
    """Generations before, during and after training, for the report."""

    prompts: list[str] = []
    every_steps: Positive | None = None
    """None: only before and after."""
    max_new_tokens: Positive = 128
    temperature: Annotated[float, Field(ge=0)] = 0.0
    """0 = greedy."""


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


class Checkpoints(Block):
    """When to save, and how many complete checkpoints to keep."""

    every_steps: Positive | None = None
    every_minutes: Annotated[float, Field(gt=0)] | None = None
    """Both None: every tenth of the run, and at least every fifteen minutes. Both given: whichever comes first."""
    keep: Positive = 3


class Output(Block):
    """What is left behind beside `model/`."""

    merge_adapter: Literal[True] = True
    model_card: bool = True


class Recovery(Block):
    """What the trainer itself must know of the job's recovery rules."""

    hang_timeout_seconds: Positive = 600
    """No step in this long is a hang; other activities (download, save, evaluate ...) may take up to ten times as long.

    A run that has shown its pace is given up sooner: after five times its longest recent step, never before a minute;
    after five times its longest recent save or evaluation, never before this timeout.
    """


class SkipWindow(Block):
    """Data that training diverged on and that is left out from then on, in every attempt.

    A data step is one global batch of the data order, counted from 1 like the optimizer steps; without a window the two
    are the same. With windows, optimizer step s trains the s-th data step that no window holds.
    """

    data_step: Positive
    """First data step that is left out."""
    steps: Positive
    """How many: dataStep .. dataStep + steps - 1."""
    rollback_to: Natural
    """A checkpoint after this optimizer step counts only if it was trained with this window; 0 = from the start."""

    @model_validator(mode="after")
    def _begins_after_the_rollback(self) -> Self:
        if self.data_step <= self.rollback_to:
            raise ValueError(f"skips: data step {self.data_step} was trained before the checkpoint {self.rollback_to}")
        return self


class Progress(Block):
    """Where reports go. Absent fields: no report is sent, and nothing else changes."""

    url: str | None = None
    token_file: str | None = None
    ca_file: str | None = None
    interval_seconds: Annotated[float, Field(gt=0)] = 5.0


class Ancestor(Block):
    """One stage that the model went through before this job."""

    kind: str
    name: str
    uid: str
    digest: str | None = None


class RunConfig(Block):
    """The trainer's whole input."""

    api_version: Literal["run.trivium.dev/v1alpha1"] = "run.trivium.dev/v1alpha1"
    job: JobIdentity
    stage: Literal["prepare", "train"]
    recipe: Literal["pretrain", "sft", "dpo"]
    runs: str
    """Root of the runs claim; the run directory is `<runs>/<namespace>/<kind>/<name>/<uid>/<stage>`."""
    continue_from: str | None = None
    """uid of an earlier run with the same digest, whose directory is adopted."""
    model: Model
    data: Data
    adapter: Adapter | None = None
    dpo: Dpo | None = None
    optimization: Optimization | None = None
    """Absent in `prepare`: the length in steps is not known before it."""
    evaluation: Evaluation = Evaluation()
    sampling: Sampling = Sampling()
    parallelism: Parallelism | None = None
    """Absent in `prepare`."""
    skips: list[SkipWindow] = []
    """What earlier attempts diverged on. Only ever grows, so any attempt may obey it at any time."""
    checkpoints: Checkpoints = Checkpoints()
    output: Output = Output()
    recovery: Recovery = Recovery()
    progress: Progress = Progress()
    lineage: list[Ancestor] = []
    upstream_run: str | None = None
    """Mounted run directory (`.../<uid>`) of the job named by model.from.job; its report data is embedded in ours."""
    plan: dict[str, Any] = {}
    """The operator's plan as status shows it (memory, seconds, cost): for the report only, never obeyed."""

    @model_validator(mode="after")
    def _stage_is_complete(self) -> Self:
        if self.stage == "train":
            if self.optimization is None or self.parallelism is None:
                raise ValueError("stage train needs optimization and parallelism")
            want = self.optimization.global_batch_size
            for size in self.parallelism.sizes:
                have = size.world_size * size.micro_batch_size * size.gradient_accumulation
                if have != want:
                    raise ValueError(f"parallelism.sizes: {size.world_size} ranks train {have} sequences, not {want}")
        if (self.recipe == "dpo") != (self.dpo is not None):
            raise ValueError("recipe dpo and the block dpo belong together")
        return self
