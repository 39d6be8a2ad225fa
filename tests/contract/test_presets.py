"""The planner's table of presets against the trainer's, which it may not import."""

from trivium.planning.architecture import read_architecture
from trivium.planning.parameters import count_parameters
from trivium.planning.presets import PRESET_CONFIGS
from trivium_trainer.model.presets import PRESETS


def test_the_planner_and_the_trainer_mean_the_same_presets():
    want = {
        name: {
            "model_type": "llama",
            "hidden_size": preset.hidden,
            "intermediate_size": preset.intermediate,
            "num_hidden_layers": preset.layers,
            "num_attention_heads": preset.heads,
            "num_key_value_heads": preset.key_value_heads,
            "tie_word_embeddings": preset.tied,
            "vocab_size": preset.vocabulary,
        }
        for name, preset in PRESETS.items()
    }
    assert dict(PRESET_CONFIGS) == want
    assert len(want) >= 7


def test_the_planner_counts_a_preset_as_the_trainer_says():
    for name, preset in PRESETS.items():
        assert count_parameters(read_architecture(PRESET_CONFIGS[name])).total == preset.parameters, name
