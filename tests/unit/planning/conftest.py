"""Small jobs, profiles and inspections; each test changes the one thing it is about."""

import copy
import json
from pathlib import Path

import pytest

from trivium.api import parse_job, parse_profile
from trivium.api.inspection import Inspection

LLAMA_8B = json.loads((Path(__file__).parent / "configs" / "llama-3-8b.json").read_text())
TINY = {
    "model_type": "llama",
    "hidden_size": 192,
    "num_hidden_layers": 4,
    "num_attention_heads": 6,
    "num_key_value_heads": 6,
    "intermediate_size": 512,
    "vocab_size": 4096,
    "tie_word_embeddings": True,
}
TINY_PARAMETERS = 2_557_632
LLAMA_8B_PARAMETERS = 8_030_261_248

JOBS = {
    "PretrainJob": {
        "model": {"architecture": {"preset": "llama-tiny"}, "tokenizer": {"train": {"vocabSize": 4096}}},
        "data": {"train": [{"from": {"volume": {"claimName": "corpus"}}}], "maxLength": 256},
        "optimization": {"epochs": 1, "globalBatchSize": 32},
    },
    "SFTJob": {
        "model": {"from": {"hub": {"repo": "meta-llama/Llama-3.1-8B"}}},
        "data": {"train": [{"from": {"hub": {"repo": "some/chat"}}}], "maxLength": 4096},
    },
    "PreferenceJob": {
        "method": {"dpo": {}},
        "model": {"from": {"job": {"kind": "SFTJob", "name": "chat"}}},
        "data": {"train": [{"from": {"volume": {"claimName": "pairs"}}}], "maxLength": 1024},
    },
}
PROFILES = {
    "cpu": {
        "image": "registry.example/trainer@sha256:1",
        "rayVersion": "2.60.0",
        "worker": {"cpu": 4, "memory": "8Gi"},
        "storage": {"runs": {"claimName": "runs"}},
    },
    "h100": {
        "image": "registry.example/trainer@sha256:2",
        "rayVersion": "2.60.0",
        "features": ["flash-attention-2", "liger", "bitsandbytes"],
        "worker": {"cpu": 64, "memory": "1000Gi"},
        "gpu": {"memory": "80Gi", "peakTFLOPS": {"bfloat16": 989}, "perNode": 8},
        "storage": {"runs": {"claimName": "runs"}},
        "prepareProfile": "cpu",
        "pricePerGPUHour": 2.5,
    },
}


def _merged(base, changes):
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        base[key] = _merged(base[key], value) if both else value
    return base


@pytest.fixture
def make_job():
    """make_job(kind, **spec changes, merged deeply)."""

    def make(kind, **changes):
        spec = _merged(copy.deepcopy(JOBS[kind]), changes)
        metadata = {"name": "chat", "namespace": "team", "uid": "11111111-2222-3333-4444-555555555555"}
        return parse_job({"apiVersion": "trivium.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})

    return make


@pytest.fixture
def make_profile():
    """make_profile(name, **spec changes, merged deeply)."""

    def make(name, **changes):
        spec = _merged(copy.deepcopy(PROFILES[name]), changes)
        metadata = {"name": name, "generation": 3}
        manifest = {"apiVersion": "trivium.dev/v1alpha1", "kind": "ComputeProfile", "metadata": metadata, "spec": spec}
        return parse_profile(manifest)

    return make


@pytest.fixture
def make_inspection():
    """make_inspection("tiny" | "8b", **changed fields)."""

    def make(model, **changes):
        config, parameters = {"tiny": (TINY, TINY_PARAMETERS), "8b": (LLAMA_8B, LLAMA_8B_PARAMETERS)}[model]
        fields = {
            "architecture": config,
            "parameters": parameters,
            "vocabulary": config["vocab_size"],
            "packing": True,
            "max_length": 256 if model == "tiny" else 4096,
            "train_sequences": 1000,
            "train_examples": 4000,
            "train_tokens": 250_000,
            "prepared_key": "abc",
            "tokenizer_digest": "def",
        }
        return Inspection(**{**fields, **changes})

    return make
