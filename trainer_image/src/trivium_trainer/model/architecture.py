"""The shape of a model from scratch: a preset's name or a Hugging Face config, checked against the tokenizer.

Called by `prepare` (to report the architecture) and, through the config.json that it writes, by every recipe.
"""

import dataclasses
from typing import Any

from huggingface_hub.errors import StrictDataclassError
from transformers import CONFIG_MAPPING, PretrainedConfig
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from trivium_trainer.config import Architecture, Model
from trivium_trainer.failure import FailureClass, TrainingError
from trivium_trainer.model.presets import PRESETS, Preset


def resolve_architecture(
    model: Model,
    *,
    vocab_size: int,
    max_length: int,
    bos_token_id: int | None = None,
    eos_token_id: int | list[int] | None = None,
    pad_token_id: int | None = None,
) -> PretrainedConfig:
    """The config of a model that is trained from scratch, with this tokenizer's vocabulary and special tokens.

    Units: vocab_size in tokens, the added ones included; max_length in tokens. Raises TrainingError(UserError).
    """
    if model.architecture is None:
        raise ValueError("resolve_architecture is for models from scratch: model.architecture is absent")
    tokens = {"bos_token_id": bos_token_id, "eos_token_id": eos_token_id, "pad_token_id": pad_token_id}
    preset = _preset_of(model.architecture)
    if preset is not None:
        return _from_preset(preset, vocab_size=vocab_size, max_length=max_length, tokens=tokens)
    config = model.architecture.config or {}
    return _from_config(config, vocab_size=vocab_size, max_length=max_length, tokens=tokens)


def _preset_of(architecture: Architecture) -> Preset | None:
    if (architecture.preset is None) == (architecture.config is None):
        raise _refusal(
            "ArchitectureUnclear",
            "model.architecture: exactly one of preset and config must be given.",
            remedy=f"Name a preset ({', '.join(PRESETS)}) or write config with model_type and its fields.",
        )
    if architecture.preset is None:
        return None
    preset = PRESETS.get(architecture.preset)
    if preset is None:
        raise _refusal(
            "UnknownPreset",
            f"model.architecture.preset: {architecture.preset} is not a preset.",
            remedy=f"Use one of {', '.join(PRESETS)}, or write model.architecture.config.",
        )
    return preset


def _from_preset(preset: Preset, *, vocab_size: int, max_length: int, tokens: dict[str, Any]) -> PretrainedConfig:
    return CONFIG_MAPPING["llama"](
        vocab_size=vocab_size,
        hidden_size=preset.hidden,
        intermediate_size=preset.intermediate,
        num_hidden_layers=preset.layers,
        num_attention_heads=preset.heads,
        num_key_value_heads=preset.key_value_heads,
        tie_word_embeddings=preset.tied,
        max_position_embeddings=max(preset.positions, max_length),
        rope_parameters={"rope_type": "default", "rope_theta": preset.rope_theta},
        **tokens,
    )


def _from_config(
    config: dict[str, Any], *, vocab_size: int, max_length: int, tokens: dict[str, Any]
) -> PretrainedConfig:
    config_class = _config_class(config.get("model_type"))
    _refuse_unknown_fields(config, config_class)
    wanted_vocabulary = config.get("vocab_size", vocab_size)
    if wanted_vocabulary < vocab_size:
        raise _refusal(
            "VocabularyTooSmall",
            f"model.architecture.config.vocab_size: {wanted_vocabulary} is less than the tokenizer's {vocab_size}.",
            remedy=f"Leave vocab_size out, or raise it to {vocab_size} or more.",
        )
    fields = {key: value for key, value in config.items() if key != "model_type"}
    if "max_position_embeddings" not in fields and _canonical("max_position_embeddings", config_class) not in fields:
        fields["max_position_embeddings"] = max_length
    fields |= {"vocab_size": wanted_vocabulary} | tokens
    try:
        resolved = config_class(**fields)
    except (StrictDataclassError, ValueError, TypeError, KeyError) as error:
        raise _refusal(
            "InvalidArchitecture",
            f"model.architecture.config: {' '.join(str(error).split())}",
            remedy=f"Correct the field; the fields of {config['model_type']} are those of {config_class.__name__}.",
        ) from error
    positions = getattr(resolved, "max_position_embeddings", None)
    if positions is not None and positions < max_length:
        raise _refusal(
            "ContextTooShort",
            f"model.architecture.config.max_position_embeddings: {positions} is less than data.maxLength {max_length}.",
            remedy=f"Raise it to {max_length}, or lower data.maxLength to {positions}.",
        )
    return resolved


def _config_class(model_type: str | None) -> type[PretrainedConfig]:
    if model_type is None:
        raise _refusal(
            "ModelTypeMissing",
            "model.architecture.config.model_type: missing.",
            remedy="Add it, for example model_type: llama.",
        )
    if model_type not in CONFIG_MAPPING or model_type not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        raise _refusal(
            "UnknownModelType",
            f"model.architecture.config.model_type: {model_type} is no causal language model of transformers.",
            remedy="Use a type such as llama, qwen3, mistral, gemma3_text or gpt2.",
        )
    return CONFIG_MAPPING[model_type]


def _refuse_unknown_fields(config: dict[str, Any], config_class: type[PretrainedConfig]) -> None:
    """A misspelled field would silently become an attribute that nothing reads (measured: `hiden_size`)."""
    known = {field.name for field in dataclasses.fields(config_class)} | set(config_class.attribute_map)
    unknown = sorted(set(config) - known - {"model_type", "architectures"})
    if unknown:
        raise _refusal(
            "UnknownArchitectureField",
            f"model.architecture.config: {', '.join(unknown)} is no field of {config_class.__name__}.",
            remedy=f"Correct or remove it; known fields are {', '.join(sorted(known))}.",
        )


def _canonical(name: str, config_class: type[PretrainedConfig]) -> str:
    return str(config_class.attribute_map.get(name, name))


def _refusal(reason: str, message: str, *, remedy: str) -> TrainingError:
    return TrainingError(FailureClass.USER_ERROR, reason, message, remedy=remedy)
