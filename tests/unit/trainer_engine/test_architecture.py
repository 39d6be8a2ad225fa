"""Architectures from scratch: every preset's documented size, the config form, and each refusal."""

import pytest
import torch
from transformers import AutoModelForCausalLM

from trivium_trainer.config import Architecture, Model
from trivium_trainer.failure import FailureClass, TrainingError
from trivium_trainer.model.architecture import resolve_architecture
from trivium_trainer.model.presets import PRESETS


def model(**architecture) -> Model:
    return Model(architecture=Architecture(**architecture))


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_preset_has_the_parameters_it_documents(name):
    preset = PRESETS[name]
    config = resolve_architecture(model(preset=name), vocab_size=preset.vocabulary, max_length=64)
    with torch.device("meta"):
        built = AutoModelForCausalLM.from_config(config)
    assert sum(p.numel() for p in built.parameters()) == preset.parameters


def test_a_preset_takes_the_tokenizers_tokens_and_the_jobs_length():
    config = resolve_architecture(
        model(preset="llama-tiny"), vocab_size=500, max_length=9000, bos_token_id=1, eos_token_id=[2, 3], pad_token_id=0
    )
    assert (config.vocab_size, config.max_position_embeddings) == (500, 9000)
    assert (config.bos_token_id, config.eos_token_id, config.pad_token_id) == (1, [2, 3], 0)


def test_a_config_is_taken_with_the_tokenizers_vocabulary():
    config = resolve_architecture(
        model(config={"model_type": "gpt2", "n_embd": 32, "n_layer": 1, "n_head": 2}), vocab_size=300, max_length=48
    )
    assert (config.model_type, config.vocab_size, config.n_embd, config.n_positions) == ("gpt2", 300, 32, 48)


@pytest.mark.parametrize(
    ("architecture", "want_reason"),
    [
        ({}, "ArchitectureUnclear"),
        ({"preset": "llama-tiny", "config": {"model_type": "llama"}}, "ArchitectureUnclear"),
        ({"preset": "llama-9000b"}, "UnknownPreset"),
        ({"config": {"hidden_size": 4}}, "ModelTypeMissing"),
        ({"config": {"model_type": "bert-of-mars"}}, "UnknownModelType"),
        ({"config": {"model_type": "llama", "hiden_size": 4}}, "UnknownArchitectureField"),
        ({"config": {"model_type": "llama", "hidden_size": 10, "num_attention_heads": 3}}, "InvalidArchitecture"),
        ({"config": {"model_type": "llama", "hidden_size": "wide"}}, "InvalidArchitecture"),
        ({"config": {"model_type": "llama", "vocab_size": 299}}, "VocabularyTooSmall"),
        ({"config": {"model_type": "llama", "max_position_embeddings": 32}}, "ContextTooShort"),
    ],
)
def test_a_wrong_architecture_is_refused_by_name(architecture, want_reason):
    with pytest.raises(TrainingError) as caught:
        resolve_architecture(model(**architecture), vocab_size=300, max_length=64)
    assert caught.value.reason == want_reason
    assert caught.value.failure_class is FailureClass.USER_ERROR
    assert caught.value.message.startswith("model.architecture")
    assert caught.value.remedy
