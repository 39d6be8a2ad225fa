"""Parsing of the trainer's last word: found anywhere in a log's tail, bounded, and never an exception."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivium.domain.end_record import RECORD_PREFIX, EndRecord, clean_text, parse_end_record

COMPLETE = RECORD_PREFIX + '{"outcome":"complete","stage":"train","step":40,"outputDigest":"sha256:ab"}'


@pytest.mark.parametrize(
    "tail",
    [
        COMPLETE,
        "Job failed due to an application error, last available logs (truncated to 20,000 chars):\nloss 2.1\n"
        + COMPLETE,
        COMPLETE + "\n(raylet) shutting down",
        COMPLETE + "\r\n",
        COMPLETE + "   trailing words of Ray",
        RECORD_PREFIX + '{"outcome":"failed"\n' + COMPLETE,
    ],
)
def test_the_record_is_found_in_whatever_surrounds_it(tail):
    record = parse_end_record(tail)
    assert record is not None
    assert (record.outcome, record.stage, record.step, record.output_digest) == ("complete", "train", 40, "sha256:ab")


def test_the_last_of_several_records_counts():
    first = RECORD_PREFIX + '{"outcome":"failed","stage":"train"}'
    record = parse_end_record(f"{first}\n{COMPLETE}")
    assert record is not None
    assert record.outcome == "complete"


def test_a_broken_last_record_gives_way_to_the_one_before():
    record = parse_end_record(f"{COMPLETE}\n{RECORD_PREFIX}{{cut off")
    assert record is not None
    assert record.outcome == "complete"


@pytest.mark.parametrize(
    "tail",
    [
        None,
        "",
        "no record",
        RECORD_PREFIX,
        RECORD_PREFIX + "null",
        RECORD_PREFIX + '{"outcome":"won","stage":"train"}',
        RECORD_PREFIX + '{"outcome":"complete","stage":"train","outputDigest":"$(rm -rf)"}',
        RECORD_PREFIX + "[" * 5000,
    ],
)
def test_what_is_no_record_is_none(tail):
    assert parse_end_record(tail) is None


@given(st.text())
def test_no_text_makes_the_parser_raise(text):
    parse_end_record(RECORD_PREFIX + text)
    parse_end_record(text)


def test_messages_are_cut_and_lose_control_characters():
    payload = {
        "outcome": "failed",
        "stage": "train",
        "failure": {"class": "UserError", "reason": "X" * 500, "message": "\x1b[31mred\x00\n" + "m" * 5000, "new": 1},
        "newField": True,
    }
    record = parse_end_record(RECORD_PREFIX + json.dumps(payload))
    assert record is not None
    assert record.failure is not None
    assert record.failure.message.startswith("[31mred\nmmm")
    assert len(record.failure.message) == 1024
    assert len(record.failure.reason) == 64


@given(st.text())
def test_cleaned_text_is_printable_and_bounded(text):
    cleaned = clean_text(text, limit=10)
    assert len(cleaned) <= 10
    assert all(c == "\n" or c.isprintable() for c in cleaned)


def test_a_step_that_no_reader_can_keep_exact_is_refused():
    assert EndRecord.model_validate({"outcome": "complete", "stage": "train", "step": 1 << 53}).step == 1 << 53
    assert parse_end_record(RECORD_PREFIX + json.dumps({"outcome": "complete", "stage": "t", "step": 1 << 54})) is None
