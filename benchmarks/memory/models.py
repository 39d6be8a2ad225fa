"""Models small enough to train on one core, large enough that no category drowns in another."""

import json
from pathlib import Path
from typing import Any

_LLAMA = {
    "model_type": "llama",
    "hidden_size": 256,
    "num_hidden_layers": 6,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "intermediate_size": 704,
    "vocab_size": 4093,
    "max_position_embeddings": 4096,
    "tie_word_embeddings": False,
}
MODELS: dict[str, dict[str, Any]] = {
    "llama-6m": _LLAMA,
    "llama-6m-tied": {**_LLAMA, "tie_word_embeddings": True},
    "llama-narrow": {**_LLAMA, "vocab_size": 509},
    "qwen3-6m": {**_LLAMA, "model_type": "qwen3", "head_dim": 32},
    "mixtral-8m": {**_LLAMA, "model_type": "mixtral", "intermediate_size": 352, "num_local_experts": 4},
    "gpt2-6m": {
        "model_type": "gpt2",
        "hidden_size": 256,
        "n_embd": 256,
        "n_layer": 6,
        "n_head": 8,
        "vocab_size": 4093,
        "n_positions": 1024,
        "resid_pdrop": 0.0,
        "attn_pdrop": 0.0,
        "embd_pdrop": 0.0,
    },
}

CONFIGS = Path(__file__).parents[2] / "tests/unit/planning/configs"


def model_config(name: str) -> dict[str, Any]:
    """A small model's config, or a published one's."""
    if name in MODELS:
        return MODELS[name]
    config: dict[str, Any] = json.loads((CONFIGS / f"{name}.json").read_text())
    return config
