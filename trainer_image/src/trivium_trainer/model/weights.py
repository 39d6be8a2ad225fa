"""The model with its weights: loaded from a folder, or initialized from scratch; alike at every ZeRO stage."""

import contextlib
import importlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from transformers import CONFIG_MAPPING, AutoConfig, AutoModelForCausalLM, BitsAndBytesConfig, PretrainedConfig
from transformers.initialization import no_init_weights
from transformers.integrations import HfDeepSpeedConfig

from trivium_trainer.config import Model
from trivium_trainer.engine.random_state import seed_all_ranks_alike
from trivium_trainer.failure import FailureClass, TrainingError


def build_model(
    settings: Model,
    *,
    model_config: dict[str, Any],
    model_dir: Path | None,
    seed: int,
    quantize: bool,
    zero3_config: dict[str, Any] | None,
) -> Any:
    """The model to train, on CPU, or partitioned over the ranks as it is built (ZeRO-3, `zero3_config` given).

    The same seed gives the same weights at every ZeRO stage and world size.
    """
    options = {"dtype": getattr(torch, settings.dtype), "attn_implementation": settings.attention}
    if quantize:
        options["quantization_config"] = _nf4(settings)
    with _partitioned_at_birth(zero3_config), _attention_errors(settings):
        if model_dir is None:
            seed_all_ranks_alike(seed)
            model = _from_scratch(_config_of(model_config), options, partitioned=zero3_config is not None)
        else:
            model = load_pretrained(settings, model_dir, **options)
    if settings.liger:
        _apply_liger(model)
    return model


def load_pretrained(settings: Model, model_dir: Path, **options: Any) -> Any:
    """A model from a folder. Nothing is fetched from a network here: prepare has done that."""
    if not (model_dir / "config.json").is_file():
        raise TrainingError(
            FailureClass.USER_ERROR,
            "ModelMissing",
            f"model.from: {model_dir} holds no config.json.",
            remedy="Point it at a folder that AutoModelForCausalLM.from_pretrained can load.",
        )
    config = AutoConfig.from_pretrained(model_dir, local_files_only=True, trust_remote_code=settings.trust_remote_code)
    return AutoModelForCausalLM.from_pretrained(
        model_dir, config=config, local_files_only=True, trust_remote_code=settings.trust_remote_code, **options
    )


def enable_gradient_checkpointing(model: Any, *, zero_stage: int) -> None:
    """Recompute activations in the backward pass.

    ZeRO-3 releases parameters between forward and recomputation, which the non-reentrant form takes for a changed
    tensor; the reentrant form needs an input that requires grad, also where only an adapter is trained.
    """
    reentrant = zero_stage == 3
    model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": reentrant})
    if reentrant:
        model.enable_input_require_grads()


def _from_scratch(config: PretrainedConfig, options: dict[str, Any], *, partitioned: bool) -> Any:
    """Random weights from the current random state.

    transformers 5.23 initializes a partitioned model module by module after its construction, and a plain one while it
    is constructed, which draws other numbers. Construct without drawing, then initialize, and both are equal.
    """
    if partitioned:
        return AutoModelForCausalLM.from_config(config, **options)
    with no_init_weights():
        model = AutoModelForCausalLM.from_config(config, **options)
    model.initialize_weights()
    model.tie_weights()
    return model


def _config_of(model_config: dict[str, Any]) -> PretrainedConfig:
    return CONFIG_MAPPING[model_config["model_type"]].from_dict(dict(model_config))


@contextlib.contextmanager
def _partitioned_at_birth(zero3_config: dict[str, Any] | None) -> Iterator[None]:
    """Transformers asks a weak reference whether ZeRO-3 is on: it lives exactly as long as the model is built."""
    keeper = HfDeepSpeedConfig(zero3_config) if zero3_config is not None else None
    try:
        yield
    finally:
        del keeper


@contextlib.contextmanager
def _attention_errors(settings: Model) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        if settings.attention != "flash_attention_2":
            raise
        raise TrainingError(
            FailureClass.USER_ERROR,
            "AttentionUnavailable",
            "model.attention: flash is not in this trainer image.",
            remedy="Use model.attention: sdpa, or a profile whose image has the feature flash-attention-2.",
        ) from error


def _nf4(settings: Model) -> BitsAndBytesConfig:
    if importlib.util.find_spec("bitsandbytes") is None:
        raise TrainingError(
            FailureClass.USER_ERROR,
            "QuantizationUnavailable",
            "adapter.quantization: nf4 needs bitsandbytes, which this trainer image lacks.",
            remedy="Use quantization: none, or a profile whose image has the feature bitsandbytes.",
        )
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=getattr(torch, settings.dtype),
    )


def _apply_liger(model: Any) -> None:
    try:
        liger = importlib.import_module("liger_kernel.transformers")
    except ImportError as error:
        raise TrainingError(
            FailureClass.USER_ERROR,
            "LigerUnavailable",
            "model.kernels.liger: not in this trainer image.",
            remedy="Set liger: false, or use a profile whose image has the feature liger.",
        ) from error
    liger._apply_liger_kernel_to_instance(model=model)  # noqa: SLF001  the name that its own HF integration calls
