"""Templates: masks equal TRL's on the same template, known templates get marks, and added tokens resize the model."""

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl.chat_template_utils import is_chat_template_stop_token_trained, qwen2_5_chat_template

from trivium_trainer.config import Model, Source
from trivium_trainer.data.examples import IGNORED
from trivium_trainer.data.prepared import open_prepared
from trivium_trainer.prepare.resize import save_resized
from trivium_trainer.prepare.template import DEFAULT_TEMPLATE

pytestmark = pytest.mark.slow

CONVERSATION = [
    {"role": "system", "content": "You add."},
    {"role": "user", "content": "What is 1 plus 2?"},
    {"role": "assistant", "content": " It is 3.\n\n  plus  "},
    {"role": "user", "content": "Söre? 日本"},
    {"role": "assistant", "content": "Yes — 日本."},
]


def prepared_tokenizer(machine, config):
    machine.prepare(config)
    prepared = open_prepared(config)
    return prepared, AutoTokenizer.from_pretrained(prepared.tokenizer_dir)


def test_the_mask_is_that_of_transformers_own_chat_templating(machine):
    """White space at both ends of an answer, several bytes a character: where offsets could go wrong."""
    machine.write_rows("rows/a.jsonl", [{"messages": CONVERSATION}])
    prepared, tokenizer = prepared_tokenizer(machine, machine.job("sft"))
    want = tokenizer.apply_chat_template(
        CONVERSATION, tokenize=True, return_dict=True, return_assistant_tokens_mask=True
    )
    sequence = prepared.train.sequence(0)
    assert sequence["input_ids"].tolist() == want["input_ids"]
    assert (sequence["labels"] != IGNORED).astype(int).tolist() == want["assistant_masks"]


def test_the_default_template_trains_its_end_token_by_trls_check(tokenizer):
    assert is_chat_template_stop_token_trained(tokenizer, DEFAULT_TEMPLATE)


def test_a_known_template_without_marks_is_patched_for_training_and_kept_for_use(machine, base_model):
    tokenizer = AutoTokenizer.from_pretrained(base_model)
    tokenizer.chat_template = qwen2_5_chat_template
    tokenizer.save_pretrained(machine.root / "trivium/model/base")
    machine.write_rows("rows/a.jsonl", [{"messages": CONVERSATION}])
    prepared, saved = prepared_tokenizer(machine, machine.job("sft"))
    sequence = prepared.train.sequence(0)
    trained = saved.decode(sequence["input_ids"][sequence["labels"] != IGNORED])
    assert trained.count("<|im_end|>") == 2
    assert "It is 3." in trained
    assert "What is" not in trained
    assert saved.chat_template == qwen2_5_chat_template
    # A template that the tokenizer came with was used in training before: no row is new.
    assert prepared.added_token_ids == []


TEMPLATE = (
    "{% for m in messages %}<|turn|>{{ m['role'] }}\n{% if m['role'] == 'assistant' %}{% generation %}{{ m['content'] }}"
    "<|stop|>{% endgeneration %}{% else %}{{ m['content'] }}<|stop|>{% endif %}{{ '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}<|turn|>assistant\n{% endif %}"
)


@pytest.mark.parametrize("tied", [False, True])
def test_tokens_that_the_template_needs_are_added_and_the_model_grows_by_mean_rows(machine, rows, tied):
    base = machine.root / "trivium/model/base"
    if tied:
        model = AutoModelForCausalLM.from_pretrained(base)
        model.config.tie_word_embeddings = True
        AutoModelForCausalLM.from_config(model.config).save_pretrained(base)
    machine.write_rows("rows/a.jsonl", rows(5))
    config = machine.job("sft", chat_template=TEMPLATE)
    inspection = machine.prepare(config)
    prepared = open_prepared(config)
    tokenizer = AutoTokenizer.from_pretrained(prepared.tokenizer_dir)
    assert prepared.added_token_ids == tokenizer.convert_tokens_to_ids(["<|turn|>", "<|stop|>"]) == [600, 601]
    assert tokenizer.eos_token == "<|stop|>"
    assert tokenizer.chat_template == TEMPLATE
    assert (inspection.added_tokens, inspection.vocabulary, inspection.architecture["vocab_size"]) == (2, 602, 602)
    assert prepared.model_dir.parent == machine.prepared / "models"
    before, after = (AutoModelForCausalLM.from_pretrained(folder) for folder in (base, prepared.model_dir))
    assert inspection.parameters == sum(parameter.numel() for parameter in after.parameters())
    for old, new in (
        (before.get_input_embeddings().weight, after.get_input_embeddings().weight),
        (before.get_output_embeddings().weight, after.get_output_embeddings().weight),
    ):
        assert torch.equal(new[:600], old)
        assert torch.equal(new[600:], old.mean(dim=0).expand(2, -1))


def test_the_resized_copy_is_made_once_and_is_the_same_again(machine, rows):
    machine.write_rows("rows/a.jsonl", rows(5))
    machine.prepare(machine.job("sft", uid="a", chat_template=TEMPLATE))
    (folder,) = (machine.prepared / "models").iterdir()
    weights = folder / "model.safetensors"
    content, written = weights.read_bytes(), weights.stat().st_mtime_ns
    machine.prepare(machine.job("sft", uid="b", chat_template=TEMPLATE))
    assert weights.stat().st_mtime_ns == written
    weights.unlink()
    folder.rename(folder.with_name("gone"))
    machine.prepare(machine.job("sft", uid="c", chat_template=TEMPLATE))
    assert weights.read_bytes() == content


def test_a_tokenizer_of_its_own_is_taken_where_the_job_names_one(machine, rows, tokenizer):
    machine.write_rows("rows/a.jsonl", rows(5))
    tokenizer.save_pretrained(machine.root / "trivium/model/own")
    (machine.root / "trivium/model/base/tokenizer.json").unlink()
    model = Model(source=Source(path="/trivium/model/base"), tokenizer_source=Source(path="/trivium/model/own"))
    assert machine.prepare(machine.job("sft", model=model)).vocabulary == 600


def test_dpo_tokens_are_those_of_trl_where_prompt_and_answer_meet_inside_a_token(machine):
    """TRL 1.16: the prompt's tokens are the beginning that prompt, chosen and rejected have in common."""
    row = {"prompt": "What is 1 pl", "chosen": "us 2", "rejected": "ease"}
    machine.write_rows("rows/a.jsonl", [row])
    prepared, tokenizer = prepared_tokenizer(machine, machine.job("dpo"))

    def ids(text):
        return tokenizer(text)["input_ids"]

    def common(first, second):
        return next(
            (i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), min(len(first), len(second))
        )

    eos = [tokenizer.eos_token_id]
    prompt, sides = ids(row["prompt"]), [ids(row["prompt"] + row[side]) + eos for side in ("chosen", "rejected")]
    length = min(common(prompt, side) for side in sides)
    pair = prepared.train.sequence(0)
    assert length < len(prompt)
    for name, side in zip(("chosen", "rejected"), sides, strict=True):
        assert pair[f"{name}_input_ids"].tolist() == side
        assert np.flatnonzero(pair[f"{name}_completion_mask"])[0] == length


def test_two_jobs_that_resize_the_same_model_at_once_end_with_one_copy(tmp_path, base_model):
    for work in ("a", "b"):
        save_resized(
            base_model, to=tmp_path / "models/resized", rows=602, work=tmp_path / work, trust_remote_code=False
        )
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["resized"]
    assert not list((tmp_path / "b").iterdir())
