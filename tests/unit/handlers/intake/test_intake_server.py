"""Reports over TLS: who is heard, who is refused and why, and that nobody can take another's turn."""

import asyncio
import ssl

import aiohttp
import pytest

from trivium.controller import Reporter, ReportError
from trivium.handlers.intake import listener as listener_module
from trivium.handlers.intake import server as server_module
from trivium.handlers.intake.listener import CONNECTIONS_OF_ADDRESS
from trivium.handlers.intake.server import MAX_REPORT_BYTES
from trivium.ports import TransientError

from .conftest import make_token

HEAD = b"POST /v1alpha1/progress HTTP/1.1\r\nHost: h\r\n"


async def test_a_proven_pod_is_heard_and_answered(endpoint):
    status, answer, headers = await endpoint.post(endpoint.verifier.admit("a"), {"jobUid": "a", "step": 3})
    assert (status, answer) == (200, {"attempt": 1, "remainingRestarts": 3})
    assert endpoint.taken == [({"jobUid": "a", "step": 3}, Reporter(job_uid="a", ray_cluster="c", namespace="team"))]
    assert headers["Connection"] == "close"


@pytest.mark.parametrize(
    ("options", "want", "word"),
    [
        ({"headers": {"Authorization": ""}}, 401, "no bearer token"),
        ({"headers": {"Authorization": "Basic eA=="}}, 401, "no bearer token"),
        ({"method": "PUT"}, 405, "POST"),
        ({"data": b"{"}, 400, "not JSON"),
        ({"data": b"[" * 100_000}, 400, "not JSON"),
        ({"data": b"[]"}, 400, "not a JSON object"),
        ({"data": b"{}", "headers": {"Content-Encoding": "gzip"}}, 415, "uncompressed"),
        ({"data": b" " * (MAX_REPORT_BYTES + 1)}, 413, "256 KiB"),
    ],
)
async def test_a_report_that_is_none_is_refused_with_a_reason(endpoint, options, want, word):
    status, answer, _ = await endpoint.post(endpoint.verifier.admit("a"), **options)
    assert (status, word in answer["message"]) == (want, True), answer
    assert endpoint.taken == []


async def test_there_is_one_path(endpoint):
    status, answer, _ = await endpoint.post("x", url=endpoint.url + "/more")
    assert status == 404
    assert "/v1alpha1/progress" in answer["message"]


@pytest.mark.parametrize(
    "token", ["nonsense", "a.b.c", make_token("a", audience="https://kubernetes.default.svc"), "x" * 7000]
)
async def test_a_token_for_another_purpose_is_refused_without_a_question(endpoint, token):
    status, answer, _ = await endpoint.post(token)
    assert status == 401
    assert "audience" in answer["message"]
    assert endpoint.verifier.asked == []


async def test_a_token_that_proves_nothing_is_refused_before_its_body_is_read(endpoint):
    reader, writer = await endpoint.connect()
    token = make_token("a").encode()
    writer.write(HEAD + b"Authorization: Bearer " + token + b"\r\nContent-Length: 100\r\n\r\n")
    status_line = await reader.readline()
    writer.close()
    assert b" 401 " in status_line


async def test_what_the_controller_refuses_reaches_the_trainer_in_its_words(endpoint):
    async def refuse(_raw, _reporter):
        raise ReportError(409, "The report comes from an attempt that is over.")

    endpoint.on_report = refuse
    status, answer, _ = await endpoint.post(endpoint.verifier.admit("a"))
    assert (status, answer) == (409, {"message": "The report comes from an attempt that is over."})


async def test_a_chunked_body_ends_at_the_bound(endpoint):
    async def chunks():
        for _ in range(64):
            yield b" " * 8192

    status, answer, _ = await endpoint.post(endpoint.verifier.admit("a"), data=chunks())
    assert status == 413
    assert "256 KiB" in answer["message"]


async def test_a_body_that_trickles_is_given_up(endpoint, monkeypatch):
    monkeypatch.setattr(server_module, "BODY_SECONDS", 0.2)
    reader, writer = await endpoint.connect()
    token = endpoint.verifier.admit("a").encode()
    writer.write(HEAD + b"Authorization: Bearer " + token + b"\r\nContent-Length: 100\r\n\r\n{")
    said = await reader.read()
    writer.close()
    assert b" 408 " in said
    assert b"did not arrive" in said


@pytest.mark.parametrize("sent", [b"", b"POST /v1", HEAD + b"X: "])
async def test_a_head_that_trickles_ends_with_its_connection(endpoint, monkeypatch, sent):
    monkeypatch.setattr(listener_module, "CONVERSATION_SECONDS", 0.3)
    reader, writer = await endpoint.connect()
    writer.write(sent)
    assert await asyncio.wait_for(_until_closed(reader), 5) == b""
    writer.close()


async def test_a_handshake_that_never_comes_ends(endpoint, monkeypatch):
    monkeypatch.setattr(listener_module, "HANDSHAKE_SECONDS", 0.2)
    reader, writer = await endpoint.connect_bare()
    assert await asyncio.wait_for(_until_closed(reader), 5) == b""
    writer.close()


async def test_one_address_holds_its_own_connections_and_no_others(endpoint):
    idle = [await endpoint.connect_bare(source="127.0.0.2") for _ in range(CONNECTIONS_OF_ADDRESS)]
    one_more, writer = await endpoint.connect_bare(source="127.0.0.2")
    assert await asyncio.wait_for(_until_closed(one_more), 5) == b""
    status, _, _ = await endpoint.post(endpoint.verifier.admit("b"), source="127.0.0.3")
    assert status == 200
    for _, each in [*idle, (None, writer)]:
        each.close()


async def test_a_flood_of_one_pod_slows_no_report_of_another_job(endpoint):
    blocked = asyncio.Event()

    async def take(raw, reporter):
        if reporter.job_uid == "a":
            await blocked.wait()
        return {"job": reporter.job_uid}

    endpoint.on_report = take
    noisy, quiet = endpoint.verifier.admit("a"), endpoint.verifier.admit("b")
    flood = [asyncio.create_task(endpoint.post(noisy, source="127.0.0.2")) for _ in range(25)]
    refused = []
    for done in asyncio.as_completed(flood):
        refused.append((await done)[0])
        if len(refused) == 21:
            break
    status, answer, _ = await asyncio.wait_for(endpoint.post(quiet), 2)
    assert (status, answer) == (200, {"job": "b"})
    blocked.set()
    assert sorted(one.result()[0] for one in [*flood] if one.done()) == [429] * 21
    assert sorted([one[0] for one in await asyncio.gather(*flood)]) == [200] * 4 + [429] * 21


async def test_a_pod_that_reports_too_often_hears_so_until_time_has_passed(endpoint):
    token = endpoint.verifier.admit("a")
    said = [(await endpoint.post(token))[0] for _ in range(21)]
    assert said == [200] * 20 + [429]
    endpoint.clock.now += 1
    assert (await endpoint.post(token))[0] == 200


async def test_unknown_tokens_of_one_address_wait_for_no_others_verification(endpoint):
    asked, go_on = [], asyncio.Event()

    async def verify(token, *, job_uid):
        asked.append(job_uid)
        await go_on.wait() if job_uid != "b" else None
        return Reporter(job_uid=job_uid)

    endpoint.verifier.verify = verify
    flood = [asyncio.create_task(endpoint.post(make_token(f"x{n}"), source="127.0.0.2")) for n in range(10)]
    for done in asyncio.as_completed(flood):
        assert (await done)[0] == 429
        break
    assert (await asyncio.wait_for(endpoint.post(make_token("b")), 2))[0] == 200
    go_on.set()
    await asyncio.gather(*flood)
    assert len(asked) == 4 + 1


async def test_only_the_replica_that_acts_answers(endpoint):
    endpoint.acting = False
    status, answer, headers = await endpoint.post(endpoint.verifier.admit("a"))
    assert (status, headers["Retry-After"]) == (503, "5")
    assert "replica" in answer["message"]
    assert endpoint.verifier.asked == []
    endpoint.acting = True
    assert (await endpoint.post(endpoint.verifier.admit("a")))[0] == 200


async def test_an_api_server_that_cannot_be_asked_is_no_refusal(endpoint):
    endpoint.verifier.trouble = TransientError("no route to host")
    status, answer, headers = await endpoint.post(endpoint.verifier.admit("a"))
    assert (status, headers["Retry-After"]) == (503, "5")
    assert "cannot be verified now" in answer["message"]


async def test_a_bug_is_answered_and_logged_and_ends_nothing(endpoint, caplog):
    async def fail(_raw, _reporter):
        raise ZeroDivisionError

    works, endpoint.on_report = endpoint.on_report, fail
    status, answer, _ = await endpoint.post(endpoint.verifier.admit("a"))
    assert status == 500
    assert "ZeroDivisionError" not in answer["message"]
    assert "could not be taken" in caplog.text
    endpoint.on_report = works
    assert (await endpoint.post(endpoint.verifier.admit("a")))[0] == 200


async def test_tokens_are_in_no_log(endpoint, caplog):
    caplog.set_level("DEBUG")
    token = make_token("a")
    await endpoint.post(token)
    assert token not in caplog.text


async def test_a_stop_answers_what_is_under_way_and_accepts_no_more(endpoint):
    begun = asyncio.Event()

    async def take(_raw, _reporter):
        begun.set()
        await asyncio.sleep(0.05)
        return {"late": True}

    endpoint.on_report = take
    under_way = asyncio.create_task(endpoint.post(endpoint.verifier.admit("a")))
    await begun.wait()
    await endpoint.server.stop()
    assert (await under_way)[:2] == (200, {"late": True})
    with pytest.raises(aiohttp.ClientConnectorError):
        await endpoint.post("x")


async def test_nothing_is_served_without_tls(endpoint):
    reader, writer = await endpoint.connect_bare()
    writer.write(HEAD + b"\r\n")
    assert b"HTTP" not in await _until_closed(reader)
    writer.close()


async def test_tls_older_than_1_2_is_refused(endpoint):
    assert endpoint.certificate.context().minimum_version == ssl.TLSVersion.TLSv1_2


async def _until_closed(reader):
    try:
        return await reader.read()
    except (ConnectionError, ssl.SSLError):
        return b""
