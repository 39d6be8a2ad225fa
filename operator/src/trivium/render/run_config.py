"""The trainer's RunConfig from a job and its plan: the only place that knows both sides' field names."""

from typing import Any, Literal, cast

from trivium.api import Job, PreferenceJob, PretrainJob, SFTJob
from trivium.api.adapter import ALL_LINEAR
from trivium.api.model import PretrainModel
from trivium.api.plan_status import Plan
from trivium.domain.fewer_workers import fewest_workers
from trivium.render import paths
from trivium.render.attempt import AttemptInput
from trivium.render.environment import cpus_per_rank
from trivium.render.sources import data_source, model_source, repository_source, upstream_runs
from trivium.render.spec_digest import spec_digest
from trivium_trainer import config as trainer

Recipe = Literal["pretrain", "sft", "dpo"]
Packing = Literal["auto", "on", "off"]
Attention = Literal["flash_attention_2", "sdpa", "eager"]

_PACKING: dict[str, Packing] = {"auto": "auto", "enabled": "on", "disabled": "off"}


def build_run_config(attempt: AttemptInput) -> trainer.RunConfig:
    """What the trainer is told. Raises ValueError where the attempt lacks what its stage needs."""
    job, plan = attempt.job, attempt.plan
    train = attempt.stage == "train"
    upstream = attempt.upstream
    return trainer.RunConfig(
        job=trainer.JobIdentity(
            kind=job.kind,
            namespace=job.metadata.namespace,
            name=job.metadata.name,
            uid=job.metadata.uid,
            spec_digest=spec_digest(job),
        ),
        stage=attempt.stage,
        recipe=_recipe(job),
        runs=paths.below(paths.RUNS, plan.runs.path if plan.runs else None),
        continue_from=job.spec.storage.continue_from,
        model=_model(attempt),
        data=_data(attempt),
        adapter=_adapter(job),
        dpo=_dpo(job),
        optimization=_optimization(job, plan) if train else None,
        evaluation=_evaluation(job),
        sampling=_sampling(job),
        parallelism=_parallelism(attempt) if train else None,
        skips=[
            trainer.SkipWindow(data_step=one.data_step, steps=one.steps, rollback_to=one.rollback_to)
            for one in attempt.skips
        ],
        checkpoints=_checkpoints(job, plan),
        output=trainer.Output(model_card=job.spec.output.model_card),
        recovery=trainer.Recovery(hang_timeout_seconds=job.spec.recovery.hang_timeout_seconds),
        progress=_progress(attempt),
        lineage=[
            trainer.Ancestor(kind=one.kind, name=one.name, uid=one.uid, digest=one.digest) for one in attempt.lineage
        ],
        upstream_run=paths.below(upstream_runs(upstream), upstream.run_path) if upstream else None,
        plan=plan.model_dump(mode="json", by_alias=True, exclude_none=True),
    )


def _recipe(job: Job) -> Recipe:
    match job:
        case PretrainJob():
            return "pretrain"
        case SFTJob():
            return "sft"
        case PreferenceJob():
            return "dpo"


def _model(attempt: AttemptInput) -> trainer.Model:
    job, plan = attempt.job, attempt.plan
    model = job.spec.model
    return trainer.Model(
        source=None if model.from_ is None else model_source(model.from_, upstream=attempt.upstream),
        **(_from_scratch(job.spec.model) if isinstance(job, PretrainJob) else {}),
        dtype=plan.precision,
        # The planner's own word for it; RunConfig checks it once more.
        attention=cast("Attention", plan.attention),
        liger=plan.liger,
        compile=model.kernels.compile,
        trust_remote_code=model.trust_remote_code,
    )


def _from_scratch(model: PretrainModel) -> dict[str, Any]:
    """Fields of a model that has no weights yet."""
    fields: dict[str, Any] = {}
    if model.architecture is not None:
        written = model.architecture.config
        config = None if written is None else written.model_dump(mode="json", by_alias=True)
        fields["architecture"] = trainer.Architecture(preset=model.architecture.preset, config=config)
    tokenizer = model.tokenizer
    if tokenizer is not None and tokenizer.from_ is not None:
        fields["tokenizer_source"] = repository_source(tokenizer.from_, mount=paths.TOKENIZER)
    if tokenizer is not None and tokenizer.train is not None:
        wanted = tokenizer.train
        fields["tokenizer_train"] = trainer.TrainTokenizer(vocab_size=wanted.vocab_size, algorithm=wanted.algorithm)
    return fields


def _data(attempt: AttemptInput) -> trainer.Data:
    job, data = attempt.job, attempt.job.spec.data
    train = [data_source(job, one, default_name=f"train[{index}]") for index, one in enumerate(data.train)]
    held_out = [
        data_source(job, one, default_name=f"evaluation[{index}]") for index, one in enumerate(data.evaluation or ())
    ]
    return trainer.Data(
        train=train,
        evaluation=held_out,
        evaluation_fraction=data.evaluation_fraction or 0.0,
        on_bad_record=data.on_bad_record,
        max_length=data.max_length,
        packing=_PACKING[data.packing],
        loss=_loss(job),
        chat_template=None if isinstance(job, PretrainJob) else job.spec.data.chat_template,
        # More than one: the trainer spreads the parts with Ray Data. In `train` nothing is prepared.
        prepare_workers=attempt.plan.workers if attempt.stage == "prepare" else 1,
    )


def _loss(job: Job) -> Literal["assistant", "completion", "all"]:
    match job:
        case PretrainJob():
            return "all"
        case SFTJob():
            return job.spec.data.loss
        case PreferenceJob():
            return "completion"


def _adapter(job: Job) -> trainer.Adapter | None:
    adapter = job.spec.adapter
    if adapter is None:
        return None
    lora, targets = adapter.lora, adapter.lora.target_modules
    return trainer.Adapter(
        lora=trainer.Lora(
            rank=lora.rank,
            alpha=lora.alpha,
            dropout=lora.dropout,
            target_modules="all-linear" if ALL_LINEAR in targets else list(targets),
        ),
        quantization=adapter.quantization,
    )


def _dpo(job: Job) -> trainer.Dpo | None:
    dpo = job.spec.method.dpo if isinstance(job, PreferenceJob) else None
    if dpo is None:
        return None
    return trainer.Dpo(
        beta=dpo.beta,
        losses=[trainer.DpoLoss(type=one.type, weight=one.weight) for one in dpo.losses],
        label_smoothing=dpo.label_smoothing,
        reference=dpo.reference,
    )


def _optimization(job: Job, plan: Plan) -> trainer.Optimization:
    wanted = job.spec.optimization
    return trainer.Optimization(
        total_steps=plan.total_steps,
        global_batch_size=plan.global_batch_size,
        learning_rate=plan.learning_rate,
        schedule=wanted.schedule,
        minimum_learning_rate_fraction=wanted.minimum_learning_rate_fraction,
        warmup_fraction=wanted.warmup_fraction,
        weight_decay=wanted.weight_decay,
        gradient_clip=wanted.gradient_clip,
        optimizer=wanted.optimizer,
        beta1=wanted.beta1,
        beta2=wanted.beta2,
        epsilon=wanted.epsilon,
        seed=wanted.seed,
        deterministic=wanted.deterministic,
    )


def _evaluation(job: Job) -> trainer.Evaluation:
    wanted = job.spec.evaluation
    return trainer.Evaluation(
        every_steps=None if wanted.every_steps == "auto" else wanted.every_steps,
        max_samples=wanted.max_samples,
        keep_best=wanted.keep_best,
        early_stopping_patience=wanted.early_stopping.patience if wanted.early_stopping else None,
    )


def _sampling(job: Job) -> trainer.Sampling:
    wanted = job.spec.sampling
    return trainer.Sampling(
        prompts=list(wanted.prompts),
        every_steps=wanted.every_steps,
        max_new_tokens=wanted.max_new_tokens,
        temperature=wanted.temperature,
    )


def _parallelism(attempt: AttemptInput) -> trainer.Parallelism:
    job, plan = attempt.job, attempt.plan
    options = job.spec.parallelism.deepspeed.model_dump(mode="json", by_alias=True, exclude_none=True)
    return trainer.Parallelism(
        workers=plan.workers,
        min_workers=_min_workers(job, plan),
        gpus_per_worker=plan.gpus_per_worker,
        cpus_per_rank=cpus_per_rank(attempt.profile, ranks=plan.gpus_per_worker),
        sizes=[
            trainer.WorldSize(
                world_size=size.world_size,
                micro_batch_size=size.micro_batch_size,
                gradient_accumulation=size.gradient_accumulation,
            )
            for size in plan.sizes
        ],
        zero_stage=cast("Literal[0, 1, 2, 3]", plan.zero_stage),
        offload=job.spec.parallelism.offload,
        gradient_checkpointing=plan.gradient_checkpointing,
        deepspeed=options,
        worker_start_timeout_seconds=job.spec.compute.worker_start_timeout_seconds,
    )


def _min_workers(job: Job, plan: Plan) -> int | None:
    """The fewest workers that training goes on with; None where all are needed."""
    fewest = fewest_workers(job, plan)
    return fewest if fewest < plan.workers else None


def _checkpoints(job: Job, plan: Plan) -> trainer.Checkpoints:
    wanted = job.spec.storage.checkpoints
    steps, minutes = wanted.every.steps, wanted.every.minutes
    if steps is None and minutes is None and plan.checkpoint_seconds:
        # By the clock: what was planned rests on the time of a save, and the time of a step is only an estimate.
        minutes = plan.checkpoint_seconds / 60
        if plan.checkpoint_every_steps is None:
            # How long the run takes is not known, and a short one would never save: also every tenth of it.
            steps = max(1, plan.total_steps // 10)
    return trainer.Checkpoints(every_steps=steps, every_minutes=minutes, keep=wanted.keep)


def _progress(attempt: AttemptInput) -> trainer.Progress:
    if attempt.progress_url is None:
        return trainer.Progress()
    return trainer.Progress(
        url=attempt.progress_url,
        token_file=paths.TOKEN_FILE,
        ca_file=paths.CA_FILE if attempt.ca_pem is not None else None,
    )
