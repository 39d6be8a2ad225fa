"""Log lines: JSON, with the pass they belong to, and never a secret."""

import asyncio
import io
import json
import logging
import time
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivium.handlers.logs import MAX_CHARACTERS, LogContext, redact, set_up_logs
from trivium.ports import ObjectKey

NOW = timedelta(0)
TOKEN = "eyJhbGciOiJSUzI1NiIsImtpZCI6IiJ9.eyJhdWQiOlsidHJpdml1bSJdfQ.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"


def key(name):
    return ObjectKey(kind="SFTJob", namespace="team", name=name)


@pytest.fixture
def log():
    """Lines as written; the root logger is as before afterwards."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    stream = io.StringIO()
    set_up_logs(level="info", form="json", stream=stream)
    yield stream
    root.handlers[:], root.level = before


def lines(stream):
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_object_with_time_level_and_message(log):
    logging.getLogger("trivium.x").warning("two\nlines %s", 7)
    logging.getLogger("trivium.x").debug("not asked for")
    (line,) = lines(log)
    assert line.pop("time").endswith("+00:00")
    assert line == {"level": "warning", "logger": "trivium.x", "message": "two\nlines 7"}


def test_an_exception_is_in_the_same_line(log):
    try:
        raise ValueError(f"refused: Bearer {TOKEN}")  # noqa: TRY301 - the very thing that is logged
    except ValueError:
        logging.getLogger("trivium.x").exception("it failed")
    (line,) = lines(log)
    assert line["message"] == "it failed"
    assert "ValueError: refused: Bearer [hidden]" in line["exception"]


async def test_passes_at_the_same_time_have_lines_of_their_own(log):
    context = LogContext({key("a"): 3, key("b"): None}.get)
    met = asyncio.Barrier(2)

    async def one_pass(name):
        context.on_pass_begin(key(name), waited=NOW)
        await met.wait()
        logging.getLogger("trivium.x").info("in a pass")
        context.on_pass_end(key(name), took=NOW, error=None)
        logging.getLogger("trivium.x").info("after it")

    await asyncio.gather(one_pass("a"), one_pass("b"))
    inside = {line["name"]: line for line in lines(log) if line["message"] == "in a pass"}
    assert inside["a"]["attempt"] == 3
    assert "attempt" not in inside["b"]
    assert {line["namespace"] for line in inside.values()} == {"team"}
    assert inside["a"]["pass"] != inside["b"]["pass"]
    after = [line for line in lines(log) if line["message"] == "after it"]
    assert len(after) == 2
    assert not [line for line in after if "pass" in line]


def test_text_for_people_names_the_job(log):
    stream = io.StringIO()
    set_up_logs(level="info", form="text", stream=stream)
    context = LogContext(lambda _: None)
    context.on_pass_begin(key("a"), waited=NOW)
    logging.getLogger("trivium.x").info("token=%s", "abcdefghij")
    context.on_pass_end(key("a"), took=NOW, error=None)
    assert stream.getvalue().endswith("INFO trivium.x: token=[hidden] [SFTJob team/a]\n")


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"token {TOKEN} expired", TOKEN),
        ("Authorization: Bearer abc.def-ghi_jkl", "abc.def-ghi_jkl"),
        ("authorization: basic dXNlcjpwYXNzd29yZA==", "dXNlcjpwYXNzd29yZA"),
        ("https://user:hunter22@registry.example/v2", "hunter22"),
        ("HF_TOKEN=hf_abcdefghijklmnop", "hf_abcdefghijklmnop"),
        ("use hf_abcdefghijklmnopqrst here", "hf_abcdefghijklmnopqrst"),
        ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG", "wJalrXUtnFEMI"),
        ("key AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
        ('{"password": "correct horse"}', "correct horse"),
        ("{'api_key': 'abcdef123456'}", "abcdef123456"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----", "MIIEow"),
        ("-----BEGIN PRIVATE KEY-----\nMIIEow, and cut", "MIIEow"),
    ],
)
def test_a_secret_never_appears(text, secret):
    assert secret not in redact(text)
    assert "[hidden]" in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "SFTJob: ConflictError; again in 0.2 s",
        "trained tokens: 1234567",
        "secretName: trivium-hub is not there",
        "tokens: 1,234 of 5,678 tokens per second",
        "data.train[0]: all 5,120 rows lost every assistant token at maxLength 512",
        "PUT /apis/trivium.dev/v1alpha1/namespaces/team/sftjobs/a/status: 409",
        "spec.credentials[0].secretName: must match ^trivium-",
        "https://trivium-progress.trivium-system.svc:8443/v1alpha1/progress",
    ],
)
def test_what_is_no_secret_stays(text):
    assert redact(text) == text


@given(st.text(), st.text())
def test_a_token_is_hidden_wherever_it_stands(before, after):
    assert TOKEN[:40] not in redact(f"{before} {TOKEN} {after}")


def test_a_long_text_is_cut_and_says_so():
    assert len(redact("x" * 100_000)) < MAX_CHARACTERS + 40
    assert redact("x" * 100_000).endswith("(100,000 characters)")


@pytest.mark.parametrize(
    "part", ["1", "x", "token", "eyJ-", "eyJaaaaaaaa.", "://a:", "=", '"', "-----BEGIN PRIVATE KEY-----"]
)
def test_no_text_keeps_the_operator_busy(part):
    began = time.process_time()
    redact(part * (MAX_CHARACTERS // len(part)))
    assert time.process_time() - began < 0.5
