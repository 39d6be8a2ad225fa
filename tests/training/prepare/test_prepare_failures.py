"""Every way in which inputs can be wrong ends with a class, a message that names field and value, and a way out."""

import json

import pytest

from trivium_trainer.config import Architecture, Model, Source
from trivium_trainer.failure import FailureClass, TrainingError

pytestmark = pytest.mark.slow

DATA, USER = FailureClass.DATA_ERROR, FailureClass.USER_ERROR


def fails(machine, config):
    with pytest.raises(TrainingError) as caught:
        machine.prepare(config)
    return caught.value


def test_prompts_that_fill_the_length_are_answered_with_the_shortest_one(machine):
    machine.write_rows("rows/a.jsonl", [{"prompt": "it is " * 300, "completion": "plus"}] * 3)
    error = fails(machine, machine.job("sft", max_length=16))
    assert (error.failure_class, error.reason) == (DATA, "AllRowsTooLong")
    assert error.message.startswith(
        "data.train[0]: all 3 rows lost every trained token at maxLength 16; the shortest prompt has "
    )
    assert error.remedy == "Raise maxLength or shorten the prompts."


def test_conversations_that_fill_the_length_speak_of_assistant_tokens(machine):
    row = {"messages": [{"role": "user", "content": "plus " * 50}, {"role": "assistant", "content": "it"}]}
    machine.write_rows("rows/a.jsonl", [row])
    assert (
        "all 1 rows lost every assistant token at maxLength 16"
        in fails(machine, machine.job("sft", max_length=16)).message
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"prompt": "a", "completion": "b"}\n{broken\n', "data.train[0]: a.jsonl:2: not JSON ("),
        (b'{"prompt": "a", "completion": "b"}\n{"prompt": "\xe9"}\n', "data.train[0]: a.jsonl:2: not UTF-8 (byte 12"),
        (b'{"prompt": "a", "completion": "b"}\n{"prompt": "a"}\n', "data.train[0]: a.jsonl:2: completion is missing"),
        (b"{broken\n", "data.train[0]: a.jsonl:1: not JSON ("),
    ],
    ids=["broken JSON", "not UTF-8", "missing value", "broken first line"],
)
def test_a_bad_record_ends_the_job_with_file_and_line(machine, content, message):
    machine.write_bytes("rows/a.jsonl", content)
    error = fails(machine, machine.job("sft"))
    assert (error.failure_class, error.reason) == (DATA, "BadRecord")
    assert error.message.startswith(message)
    assert error.remedy == "Correct the row, or set data.onBadRecord: skip to leave such rows out and count them."


def test_rows_that_are_all_bad_are_an_error_also_where_bad_rows_are_skipped(machine):
    machine.write_bytes("rows/a.jsonl", b'{"messages": []}\n' * 4)
    error = fails(machine, machine.job("sft", on_bad_record="skip"))
    assert (error.failure_class, error.reason) == (DATA, "AllRecordsBad")
    assert error.message.startswith("data.train[0]: all 4 rows are bad; the first: a.jsonl:1: messages is a list")


def test_an_empty_file_is_an_empty_split(machine):
    machine.write_bytes("rows/a.jsonl", b"\n\n")
    error = fails(machine, machine.job("sft"))
    assert str(error) == (
        "EmptySplit: data.train[0].split: train has no usable row in 1 files (a.jsonl). "
        "Name a split or files that hold rows."
    )


def test_a_path_that_is_not_mounted_is_named(machine):
    error = fails(machine, machine.job("sft", train=[machine.source("nowhere")]))
    assert str(error) == (
        "PathNotFound: data.train[0].from.path: /trivium/data/nowhere does not exist in the mounted volume. "
        "Correct the path, or put the files on the volume."
    )


def test_a_split_that_holds_out_nothing_or_everything_is_refused(machine, rows):
    machine.write_rows("rows/a.jsonl", rows(3))
    nothing = fails(machine, machine.job("sft", evaluation_fraction=0.0001))
    assert nothing.message == "data.evaluationFraction: 0.0001 of 3 rows holds out none."
    everything = fails(machine, machine.job("sft", uid="b", evaluation_fraction=1.0))
    assert everything.message == "data.evaluationFraction: 1 holds out every row of train[0]."


def test_a_template_without_marks_is_refused_for_the_loss_that_needs_them(machine, rows):
    machine.write_rows("rows/a.jsonl", rows(3))
    template = "{% for m in messages %}<|im_start|>{{ m['role'] }}: {{ m['content'] }}<|im_end|>{% endfor %}"
    error = fails(machine, machine.job("sft", chat_template=template))
    assert (error.failure_class, error.reason) == (USER, "TemplateWithoutMarks")
    assert error.message.startswith("data.chatTemplate: no {% generation %} marks, so data.loss: assistant cannot tell")
    assert machine.prepare(machine.job("sft", uid="b", chat_template=template, loss="all")).train_examples == 3


def test_an_end_token_outside_the_marks_is_refused(machine, rows):
    machine.write_rows("rows/a.jsonl", rows(3))
    template = (
        "{% for m in messages %}{% if m['role'] == 'assistant' %}{% generation %}{{ m['content'] }}{% endgeneration %}"
        "<|im_end|>{% else %}{{ m['content'] }}<|im_end|>{% endif %}{% endfor %}"
    )
    error = fails(machine, machine.job("sft", chat_template=template))
    assert (error.failure_class, error.reason) == (USER, "EndTokenNotTrained")
    assert (
        "which is no special token, so a model trained with data.loss: assistant would never learn to stop"
        in error.message
    )


@pytest.mark.parametrize("template", ["{% for m in %}", "{{ raise_exception('no') }}", "{{ messages[0]['role'] + 1 }}"])
def test_a_template_that_does_not_render_is_refused(machine, rows, template):
    machine.write_rows("rows/a.jsonl", rows(3))
    error = fails(machine, machine.job("sft", chat_template=template, loss="all"))
    assert (error.failure_class, error.reason) == (USER, "TemplateFailed")
    assert error.message.startswith("data.chatTemplate does not render a user and an assistant turn: ")


def test_a_conversation_that_the_template_refuses_is_a_bad_record(machine):
    template = (
        "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system turns') }}{% endif %}"
        "{{ m['content'] }}<|im_end|>{% endfor %}"
    )
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    machine.write_rows(
        "rows/a.jsonl", [{"messages": turns}, {"messages": [{"role": "system", "content": "x"}, *turns]}]
    )
    error = fails(machine, machine.job("sft", chat_template=template, loss="all"))
    assert error.message == "data.train[0]: a.jsonl:2: the chat template refuses it (no system turns)."


def test_plain_text_has_no_answer_to_train(machine):
    machine.write_rows("rows/a.jsonl", [{"text": "abc"}])
    error = fails(machine, machine.job("sft"))
    assert error.message == "data.loss: assistant, but data.train[0] is plain text, where nothing is an answer."


@pytest.mark.parametrize(
    ("recipe", "fields", "message"),
    [
        ("dpo", {"packing": "on"}, "data.packing: on, but pairs of answers are compared whole and never packed."),
        ("pretrain", {"packing": "off"}, "data.packing: off, but pre-training always fills rows of maxLength"),
        ("sft", {"max_length": 513}, "data.maxLength: 513 is more than the 512 positions of the model."),
    ],
)
def test_settings_that_contradict_the_job_or_the_model_are_refused(machine, rows, recipe, fields, message):
    machine.write_rows("rows/a.jsonl", rows(3))
    error = fails(machine, machine.job(recipe, **fields))
    assert error.failure_class is USER
    assert error.message.startswith(message)


def test_evaluation_sets_need_names_of_their_own(machine, rows):
    machine.write_rows("rows/a.jsonl", rows(3))
    same = [machine.source("rows", name="one"), machine.source("rows", name="one")]
    assert fails(machine, machine.job("sft", evaluation=same)).reason == "EvaluationNamesClash"


def test_a_model_from_scratch_needs_a_tokenizer(machine, rows):
    machine.write_rows("rows/a.jsonl", [{"text": "abc"}])
    model = Model(architecture=Architecture(config={"model_type": "llama"}))
    assert fails(machine, machine.job("pretrain", model=model)).message.startswith(
        "model.tokenizer: a model from scratch"
    )


@pytest.mark.parametrize(
    ("missing", "reason"),
    [("config.json", "NotAModel"), ("model.safetensors", "NoSafetensors"), ("tokenizer.json", "TokenizerUnreadable")],
)
def test_a_model_folder_that_lacks_a_part_is_refused(machine, rows, missing, reason):
    machine.write_rows("rows/a.jsonl", rows(3))
    (machine.root / "trivium/model/base" / missing).unlink()
    error = fails(machine, machine.job("sft"))
    assert (error.failure_class, error.reason) == (USER, reason)


def test_pickled_weights_beside_no_others_are_never_read(machine, rows):
    machine.write_rows("rows/a.jsonl", rows(3))
    base = machine.root / "trivium/model/base"
    (base / "model.safetensors").rename(base / "pytorch_model.bin")
    assert "pickled .bin files can run code" in fails(machine, machine.job("sft")).remedy


def test_a_config_of_no_known_model_is_refused(machine, rows):
    machine.write_rows("rows/a.jsonl", rows(3))
    (machine.root / "trivium/model/base/config.json").write_text('{"model_type": "nonsense"}')
    assert fails(machine, machine.job("sft")).failure_class is USER


def test_a_tokenizer_that_is_larger_than_the_model_is_refused(machine, rows, tokenizer):
    machine.write_rows("rows/a.jsonl", rows(3))
    larger = machine.root / "trivium/model/larger"
    tokenizer.save_pretrained(larger)
    text = (larger / "tokenizer.json").read_text()
    assert '"vocab": {' in text
    backend = json.loads(text)
    backend["model"]["vocab"]["zzzz"] = 600
    (larger / "tokenizer.json").write_text(json.dumps(backend))
    model = Model(source=Source(path="/trivium/model/base"), tokenizer_source=Source(path="/trivium/model/larger"))
    error = fails(machine, machine.job("sft", model=model))
    assert (error.reason, error.message) == (
        "TokenizerTooLarge",
        "model.tokenizer: 601 tokens, but the model has rows for 600.",
    )


def test_a_model_that_does_not_generate_is_refused(machine, rows):
    machine.write_rows("rows/a.jsonl", rows(3))
    path = machine.root / "trivium/model/base/config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"model_type": "clip"}))
    error = fails(machine, machine.job("sft"))
    assert (error.reason, error.message) == (
        "NotACausalModel",
        "model.from: clip is no causal language model of transformers.",
    )
