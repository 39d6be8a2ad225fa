"""The progress endpoint over a real socket."""

import aiohttp
import pytest

from trivium.local.intake import MAX_REPORT_BYTES, Intake, ReportRefusedError, Sender, Tokens

SENDER = Sender(namespace="default", rayjob="a", ray_cluster="a-local", job_uid="uid-1")


@pytest.fixture
async def intake():
    received: list = []

    async def on_report(sender: Sender, report: dict) -> dict:
        if report.get("jobUid") != sender.job_uid:
            raise ReportRefusedError(403, "another job's report")
        received.append(report)
        return {"attempt": 1, "remainingRestarts": 5}

    tokens = Tokens()
    server = Intake(tokens, on_report)
    await server.start()
    server.tokens, server.received = tokens, received
    yield server
    await server.stop()


async def post(server: Intake, token: str, **options) -> tuple[int, dict]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(server.url, headers={"Authorization": f"Bearer {token}"}, **options) as response,
    ):
        return response.status, await response.json() if response.content_type == "application/json" else {}


async def test_a_report_with_its_token_is_answered(intake) -> None:
    token = intake.tokens.issue(SENDER)
    assert await post(intake, token, json={"jobUid": "uid-1"}) == (200, {"attempt": 1, "remainingRestarts": 5})
    assert intake.url.startswith("http://127.0.0.1:")


async def test_a_token_of_no_attempt_is_refused_and_so_is_a_revoked_one(intake) -> None:
    token = intake.tokens.issue(SENDER)
    intake.tokens.revoke(token)
    for wrong in ("", "guess", token):
        assert (await post(intake, wrong, json={"jobUid": "uid-1"}))[0] == 401
    assert intake.received == []


async def test_a_refusal_says_why(intake) -> None:
    token = intake.tokens.issue(SENDER)
    assert await post(intake, token, json={"jobUid": "uid-2"}) == (403, {"message": "another job's report"})


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff"])
async def test_what_is_not_a_json_object_is_refused(intake, body: bytes) -> None:
    assert (await post(intake, intake.tokens.issue(SENDER), data=body))[0] == 400


async def test_a_body_over_the_bound_is_refused(intake) -> None:
    body = b'{"x": "' + b"x" * MAX_REPORT_BYTES + b'"}'
    assert (await post(intake, intake.tokens.issue(SENDER), data=body))[0] == 413
