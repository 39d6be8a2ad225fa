"""Whether a prompt was trained on, decided by the token ids that the rows begin with."""

from types import SimpleNamespace

import numpy as np
import pytest
import tokenizers
from transformers import PreTrainedTokenizerFast

from trivium_trainer.prompt_origin import prompt_origins

TEMPLATE = (
    "{% for m in messages %}<u>{{ m['content'] }}<a>{% if m['role'] == 'assistant' %}{{ m['content'] }}{% endif %}"
    "{% endfor %}"
)


class Rows(list):
    """Stands for data.examples.Examples."""

    def sequence(self, number):
        return self[number]


@pytest.fixture
def tokenizer(tmp_path):
    backend = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({"<u>": 0, "<a>": 1, "?": 2, "one": 3, "two": 4, "six": 5}, unk_token="?")
    )
    backend.pre_tokenizer = tokenizers.pre_tokenizers.Split(tokenizers.Regex("<u>|<a>|[a-z]+"), "isolated")
    made = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="?", unk_token="?")
    made.chat_template = TEMPLATE
    made.save_pretrained(tmp_path)
    return made


def packed(*examples):
    """A packed row of whole examples."""
    return {
        "input_ids": np.concatenate([np.array(one) for one in examples]),
        "position_ids": np.concatenate([np.arange(len(one)) for one in examples]),
    }


def origins(tmp_path, train, held_out, *, recipe="sft"):
    config = SimpleNamespace(recipe=recipe, sampling=SimpleNamespace(prompts=["one", "two", "six"]))
    prepared = SimpleNamespace(train=Rows(train), evaluation={"held": Rows(held_out)}, tokenizer_dir=tmp_path)
    return prompt_origins(config, prepared)


@pytest.mark.usefixtures("tokenizer")
def test_a_prompt_is_seen_held_out_or_other(tmp_path):
    # <u> one <a> ... lies second in a packed row; "six" occurs in an answer only.
    train = [packed([0, 5, 5, 1, 2], [0, 3, 1, 5, 2])]
    assert origins(tmp_path, train, [packed([0, 4, 1, 5])]) == ["seen", "held-out", "other"]


@pytest.mark.usefixtures("tokenizer")
def test_a_pair_is_known_by_its_prompt(tmp_path):
    train = [{"chosen_input_ids": np.array([0, 4, 1, 5]), "rejected_input_ids": np.array([0, 4, 1, 3])}]
    assert origins(tmp_path, train, [], recipe="dpo") == ["other", "seen", "other"]


@pytest.mark.usefixtures("tokenizer")
def test_pretraining_has_no_prompts_to_know(tmp_path):
    assert origins(tmp_path, [packed([0, 3, 1])], [], recipe="pretrain") == [None, None, None]
