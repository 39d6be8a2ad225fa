"""The model that training starts from: its config, its size, and a resized copy where tokens were added."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from trivium_trainer import layout
from trivium_trainer.config import RunConfig
from trivium_trainer.model.architecture import resolve_architecture
from trivium_trainer.prepare.files import digest_text
from trivium_trainer.prepare.problems import user_error
from trivium_trainer.prepare.resize import save_resized
from trivium_trainer.prepare.resolve import Inputs, model_folder, model_root
from trivium_trainer.prepare.tokenizer import PreparedTokenizer


@dataclass(frozen=True, slots=True, kw_only=True)
class StartingModel:
    """What training loads."""

    architecture: dict[str, Any]
    """config.json, after any resize."""
    vocabulary: int
    """Rows of the embedding."""
    parameters: int
    folder: str | None
    """Below prepared/: a downloaded or resized model. None: the mounted path, or from scratch."""


def prepare_model(config: RunConfig, inputs: Inputs, tokenizer: PreparedTokenizer, *, work: Path) -> StartingModel:
    """Resolve the architecture, resize where the tokenizer has grown, count. Raises UserError."""
    if config.model.source is None or inputs.model is None:
        scratch = resolve_architecture(
            config.model,
            vocab_size=len(tokenizer.tokenizer),
            max_length=config.data.max_length,
            bos_token_id=tokenizer.tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
        return _starting_model(scratch, parameters=count_parameters(scratch), folder=None)
    source, trusted = config.model.source, config.model.trust_remote_code
    root = model_root(config, source, revision=inputs.model.revision)
    own = load_config(root, trust_remote_code=trusted)
    _require_causal(own, trust_remote_code=trusted)
    _require_context(own, max_length=config.data.max_length)
    rows, wanted = _vocabulary(own), len(tokenizer.tokenizer)
    if wanted <= rows:
        downloaded = model_folder(source, revision=inputs.model.revision, uid=config.job.uid)
        parameters = count_parameters(own, trust_remote_code=trusted)
        return _starting_model(own, parameters=parameters, folder=downloaded if source.path is None else None)
    if not tokenizer.added_tokens:
        raise user_error(
            "TokenizerTooLarge",
            f"model.tokenizer: {wanted} tokens, but the model has rows for {rows}.",
            remedy="Use the tokenizer that the model was trained with.",
        )
    folder = f"models/resized-{digest_text(inputs.model.digest, tokenizer.digest)[:16]}"
    resized = layout.prepared_root(config) / folder
    if not resized.exists():
        save_resized(root, to=resized, rows=wanted, work=work, trust_remote_code=trusted)
    grown = load_config(resized, trust_remote_code=trusted)
    return _starting_model(grown, parameters=count_parameters(grown, trust_remote_code=trusted), folder=folder)


def load_config(folder: Path, *, trust_remote_code: bool) -> Any:
    """The model's config. Raises UserError where transformers does not know it."""
    try:
        return AutoConfig.from_pretrained(folder, trust_remote_code=trust_remote_code, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise user_error(
            "ModelUnreadable",
            f"model.from: config.json is not that of a known model ({' '.join(str(error).split())[:300]}).",
            remedy="Use a model that AutoModelForCausalLM of this trainer image loads; trustRemoteCode allows others "
            "where the platform does.",
        ) from error


def count_parameters(config: Any, *, trust_remote_code: bool = False) -> int:
    """Parameters by the shapes of the weights, tied ones once; nothing is allocated."""
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, trust_remote_code=trust_remote_code)
    return sum(parameter.numel() for parameter in model.parameters())


def _starting_model(config: Any, *, parameters: int, folder: str | None) -> StartingModel:
    return StartingModel(
        architecture=json.loads(config.to_json_string(use_diff=False)),
        vocabulary=_vocabulary(config),
        parameters=parameters,
        folder=folder,
    )


def _require_causal(config: Any, *, trust_remote_code: bool) -> None:
    known = config.model_type in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    if not known and not (trust_remote_code and "AutoModelForCausalLM" in getattr(config, "auto_map", {})):
        raise user_error(
            "NotACausalModel",
            f"model.from: {config.model_type} is no causal language model of transformers.",
            remedy="Use a model that AutoModelForCausalLM loads.",
        )


def _vocabulary(config: Any) -> int:
    return int(config.get_text_config().vocab_size)


def _require_context(config: Any, *, max_length: int) -> None:
    positions = getattr(config.get_text_config(), "max_position_embeddings", None)
    if positions is not None and positions < max_length:
        raise user_error(
            "ContextTooShort",
            f"data.maxLength: {max_length} is more than the {positions} positions of the model.",
            remedy=f"Lower maxLength to {positions} or less.",
        )
