"""Model, adapter and engine of a run, put together in the order that DeepSpeed and PEFT need."""

from typing import Any

from trivium_trainer.checkpoint.resume import ResumePoint
from trivium_trainer.engine.deepspeed_config import build_deepspeed_config
from trivium_trainer.engine.random_state import seed_all_ranks_alike
from trivium_trainer.engine.run import Run
from trivium_trainer.engine.zero_engine import build_engine, build_frozen_engine
from trivium_trainer.failure import FailureClass, TrainingError
from trivium_trainer.model.weights import build_model, enable_gradient_checkpointing


def build_trained_engine(run: Run, point: ResumePoint | None) -> Any:
    """The engine that trains, with the weights that the job starts from. Collective."""
    refuse_impossible(run)
    config = build_deepspeed_config(
        run.engine_settings(load_universal=point is not None and point.universal), run.parallelism.deepspeed
    )
    adapter = run.config.adapter
    run.session.beat("start")
    model = build_model(
        run.config.model,
        model_config=run.prepared.model_config,
        model_dir=run.prepared.model_dir,
        seed=run.optimization.seed,
        quantize=adapter is not None and adapter.quantization == "nf4",
        zero3_config=config if run.zero_stage == 3 else None,
    )
    if run.parallelism.gradient_checkpointing:
        enable_gradient_checkpointing(model, zero_stage=run.zero_stage)
    if adapter is not None:
        from trivium_trainer.model.adapter import attach_lora  # noqa: PLC0415  PEFT's import takes seconds

        seed_all_ranks_alike(run.optimization.seed)  # the adapter starts from random numbers, too
        model = attach_lora(model, adapter.lora, added_token_ids=run.prepared.added_token_ids)
    engine = build_engine(model, run.optimization, deepspeed_config=config)
    if run.config.model.compile:
        run.session.beat("compile")
        engine.compile()
    return engine


def build_reference_model(run: Run) -> Any:
    """A frozen copy of what the job starts from: whole on each rank, divided among them at ZeRO-3. Collective."""
    settings = run.engine_settings(load_universal=False)
    config = build_deepspeed_config(settings, {}) if run.zero_stage == 3 else None
    model = build_model(
        run.config.model,
        model_config=run.prepared.model_config,
        model_dir=run.prepared.model_dir,
        seed=run.optimization.seed,
        quantize=False,
        zero3_config=config,
    )
    model.requires_grad_(requires_grad=False)
    if config is not None:
        return build_frozen_engine(model, deepspeed_config=config)
    return model.to(run.ranks.device).eval()


def refuse_impossible(run: Run) -> None:
    """Combinations that would train something else than what the job says. Raises TrainingError(UserError)."""
    adapter = run.config.adapter
    if adapter is not None and run.prepared.model_dir is None:
        raise TrainingError(
            FailureClass.USER_ERROR,
            "AdapterWithoutBase",
            "adapter: a model from scratch has nothing that an adapter could adapt.",
            remedy="Remove adapter, or start from a model with model.from.",
        )
    if adapter is not None and adapter.quantization == "nf4" and run.zero_stage == 3:
        raise TrainingError(
            FailureClass.USER_ERROR,
            "QuantizationWithZero3",
            "adapter.quantization: nf4 cannot be divided by parallelism.zeroStage: 3.",
            remedy="Use zeroStage 2 or lower, or quantization: none.",
        )
    evaluation = run.config.evaluation
    watches = evaluation.keep_best or evaluation.early_stopping_patience is not None
    if watches and not any(len(examples) for examples in run.prepared.evaluation.values()):
        raise TrainingError(
            FailureClass.USER_ERROR,
            "EvaluationSetMissing",
            "evaluation: keepBest and earlyStopping compare held-out losses, and nothing is held out.",
            remedy="Set data.evaluation or data.evaluationFraction, or remove keepBest and earlyStopping.",
        )
    if run.parallelism.offload != "none" and run.zero_stage == 0:
        raise TrainingError(
            FailureClass.USER_ERROR,
            "OffloadWithoutZero",
            f"parallelism.offload: {run.parallelism.offload} needs ZeRO, and zeroStage is 0.",
            remedy="Use zeroStage 2 or 3, or offload: none.",
        )
    if run.parallelism.offload == "parameters" and run.zero_stage != 3:
        raise TrainingError(
            FailureClass.USER_ERROR,
            "OffloadWithoutZero3",
            f"parallelism.offload: parameters needs zeroStage 3, not {run.zero_stage}.",
            remedy="Use zeroStage: 3, or offload: optimizer.",
        )
