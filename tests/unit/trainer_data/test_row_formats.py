"""Records to rows, and which format a source has; every message that a user can meet here."""

import pytest

from trivium_trainer.config import DataSource, Source
from trivium_trainer.failure import FailureClass, TrainingError
from trivium_trainer.prepare.detect import FORMATS, NEEDED, detect_format
from trivium_trainer.prepare.problems import BadRecordError
from trivium_trainer.prepare.records import Record
from trivium_trainer.prepare.rows import Completion, Conversation, Document, Preference, parse_row

USER, ASSISTANT = {"role": "user", "content": "Hi?"}, {"role": "assistant", "content": "Hello."}


def record(**values):
    return Record(location="a.jsonl:7", values=values)


def source(**fields):
    return DataSource(name="train[0]", source=Source(path="/trivium/data/0"), **fields)


def parse(row_format, columns=None, **values):
    return parse_row(record(**values), row_format=row_format, columns=columns or {})


def test_each_format_becomes_its_row():
    assert parse("text", text="abc") == Document(text="abc")
    assert parse("instruction", instruction="Add", input="1 2", output="3") == Conversation(
        messages=[{"role": "user", "content": "Add\n\n1 2"}, {"role": "assistant", "content": "3"}],
        completion_start=1,
    )
    assert parse("instruction", instruction="Add", input="", output="3").messages[0]["content"] == "Add"
    assert parse("promptCompletion", prompt="a", completion=" b") == Completion(prompt="a", completion=" b")
    assert parse("messages", messages=[USER, ASSISTANT]) == Conversation(messages=[USER, ASSISTANT], completion_start=1)
    assert parse("preference", prompt="p", chosen="c", rejected="r") == Preference(prompt="p", chosen="c", rejected="r")


def test_prompt_and_completion_of_messages_train_the_completion_alone():
    row = parse("promptCompletion", prompt=[USER, ASSISTANT, USER], completion=[ASSISTANT])
    assert (row.completion_start, row.only_completion) == (3, True)


def test_columns_are_renamed():
    assert parse("text", {"text": "body"}, body="abc") == Document(text="abc")


def test_sharegpt_turns_are_understood():
    turns = [{"from": "human", "value": "Hi?"}, {"from": "gpt", "value": "Hello."}]
    assert parse("messages", {"messages": "conversations"}, conversations=turns).messages == [USER, ASSISTANT]


def test_nulls_that_parquet_adds_to_messages_are_absent():
    assert parse("messages", messages=[USER, ASSISTANT | {"name": None}]).messages == [USER, ASSISTANT]


@pytest.mark.parametrize(
    "values",
    [
        {"chosen": [USER, ASSISTANT], "rejected": [USER, {"role": "assistant", "content": "No."}]},
        {"prompt": "Hi?", "chosen": [ASSISTANT], "rejected": [{"role": "assistant", "content": "No."}]},
        {"prompt": "Hi?", "chosen": [USER, ASSISTANT], "rejected": [USER, {"role": "assistant", "content": "No."}]},
        {"prompt": [USER], "chosen": [ASSISTANT], "rejected": [{"role": "assistant", "content": "No."}]},
    ],
    ids=["implicit prompt", "prompt as text", "prompt repeated", "prompt as messages"],
)
def test_all_ways_to_write_a_preference_of_messages_are_one_row(values):
    assert parse("preference", **values) == Preference(
        prompt=[USER], chosen=[ASSISTANT], rejected=[{"role": "assistant", "content": "No."}]
    )


@pytest.mark.parametrize(
    ("row_format", "values", "problem"),
    [
        ("text", {"text": 3}, "text is a number, not a string"),
        ("text", {"text": " \n"}, "text is empty"),
        ("instruction", {"instruction": "a", "output": None}, "output is missing, not a string"),
        ("instruction", {"instruction": "a", "input": 3, "output": "b"}, "input is a number, not a string"),
        ("messages", {"messages": []}, "messages is a list, not a list of messages"),
        ("messages", {"messages": ["hi"]}, r"messages\[0\] is a string, not an object"),
        ("messages", {"messages": [{"content": "hi"}]}, r"messages\[0\].role is missing"),
        ("messages", {"messages": [{"role": "user", "content": [1]}]}, r"messages\[0\].content is a list"),
        ("messages", {"messages": [USER]}, "no message has the role assistant"),
        ("messages", {"messages": [USER, ASSISTANT | {"content": " "}]}, "every assistant message is empty"),
        ("preference", {"prompt": "p", "chosen": "a", "rejected": "a"}, "chosen and rejected are the same"),
        ("preference", {"chosen": [USER], "rejected": [ASSISTANT]}, "not two answers after the same messages"),
    ],
)
def test_a_bad_row_says_where_and_what_and_shows_itself(row_format, values, problem):
    with pytest.raises(BadRecordError, match=problem) as caught:
        parse(row_format, **values)
    assert str(caught.value).startswith("a.jsonl:7: ")
    assert "the row is {" in str(caught.value)


@pytest.mark.parametrize("recipe", FORMATS)
def test_every_format_of_a_recipe_is_detected_by_its_columns(recipe):
    for row_format in FORMATS[recipe]:
        values = dict.fromkeys((*NEEDED[row_format], "id"), "x")
        assert detect_format(source(), record(**values), recipe=recipe) == row_format


def test_columns_that_match_nothing_are_answered_with_the_nearest_names():
    with pytest.raises(TrainingError) as caught:
        detect_format(source(), record(instruction="a", response="b"), recipe="sft")
    error = caught.value
    assert error.failure_class is FailureClass.DATA_ERROR
    assert error.message == (
        "data.train[0]: columns instruction, response match no known form. "
        "a.jsonl:7 is {'instruction': 'a', 'response': 'b'}."
    )
    assert error.remedy == "Rename response to output, or set columns."


@pytest.mark.parametrize(
    ("recipe", "values", "want_remedy"),
    [
        ("sft", {"conversations": []}, "Rename conversations to messages, or set columns."),
        (
            "sft",
            {"question": "a", "answer": "b"},
            "Rename question to prompt and answer to completion, or set columns.",
        ),
        ("pretrain", {"content": "a"}, "Rename content to text, or set columns."),
        ("dpo", {"prompt": "a", "chosen": "b", "reject": "c"}, "Rename reject to rejected, or set columns."),
        ("sft", {"foo": 1, "bar": 2}, "set columns."),
    ],
)
def test_other_known_names_are_proposed(recipe, values, want_remedy):
    with pytest.raises(TrainingError) as caught:
        detect_format(source(), record(**values), recipe=recipe)
    assert caught.value.remedy == want_remedy[:1].upper() + want_remedy[1:]


def test_a_named_format_with_a_missing_column_names_the_column():
    with pytest.raises(TrainingError) as caught:
        detect_format(source(format="instruction"), record(instruction="a", answer="b"), recipe="sft")
    assert caught.value.reason == "MissingColumn"
    assert caught.value.message == (
        "data.train[0]: a.jsonl:7 has no output, which format instruction needs; its columns are instruction, answer."
    )
    assert caught.value.remedy == "Rename answer to output, or set columns, or another format."


def test_a_format_of_another_kind_of_job_is_refused():
    with pytest.raises(TrainingError) as caught:
        detect_format(source(format="messages"), record(messages=[]), recipe="pretrain")
    assert caught.value.failure_class is FailureClass.USER_ERROR
    assert str(caught.value) == (
        "FormatNotForThisJob: data.train[0].format: messages is not read by this kind of job. Use text."
    )
