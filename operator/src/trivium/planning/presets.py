"""The configs of the trainer's presets, so that a job that names one is planned before anything runs.

The table itself is the trainer's (trivium_trainer.model.presets), which this layer may not import; a contract test
holds the two equal.
"""

from collections.abc import Mapping
from typing import Any


def _llama(
    *, hidden: int, intermediate: int, layers: int, heads: int, key_value_heads: int, tied: bool, vocabulary: int
) -> dict[str, Any]:
    return {
        "model_type": "llama",
        "hidden_size": hidden,
        "intermediate_size": intermediate,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": key_value_heads,
        "tie_word_embeddings": tied,
        "vocab_size": vocabulary,
    }


PRESET_CONFIGS: Mapping[str, Mapping[str, Any]] = {
    "llama-tiny": _llama(
        hidden=192, intermediate=512, layers=4, heads=6, key_value_heads=6, tied=True, vocabulary=4096
    ),
    "llama-30m": _llama(
        hidden=512, intermediate=1408, layers=8, heads=8, key_value_heads=8, tied=True, vocabulary=16_384
    ),
    "llama-125m": _llama(
        hidden=768, intermediate=2048, layers=12, heads=12, key_value_heads=12, tied=True, vocabulary=50_304
    ),
    "llama-350m": _llama(
        hidden=1024, intermediate=2816, layers=24, heads=16, key_value_heads=16, tied=True, vocabulary=50_304
    ),
    "llama-1b": _llama(
        hidden=2048, intermediate=8192, layers=16, heads=32, key_value_heads=8, tied=True, vocabulary=128_256
    ),
    "llama-3b": _llama(
        hidden=3072, intermediate=8192, layers=28, heads=24, key_value_heads=8, tied=True, vocabulary=128_256
    ),
    "llama-8b": _llama(
        hidden=4096, intermediate=14_336, layers=32, heads=32, key_value_heads=8, tied=False, vocabulary=128_256
    ),
}
"""`vocab_size` is the one that the preset is counted at; a job's own tokenizer decides the real one."""
