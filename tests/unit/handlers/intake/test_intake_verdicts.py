"""How long a verdict serves, and how many are kept."""

import pytest

from trivium.controller import Reporter, ReportError
from trivium.handlers.intake import verdicts as verdicts_module
from trivium.handlers.intake.verdicts import BAD_SECONDS, GOOD_SECONDS, STALE_SECONDS, Verdicts
from trivium.ports import TransientError

from .conftest import ScriptedVerifier, Seconds, make_token


@pytest.fixture
def clock():
    return Seconds()


@pytest.fixture
def verifier():
    return ScriptedVerifier()


@pytest.fixture
def verdicts(verifier, clock):
    return Verdicts(verifier, monotonic=clock, wall=clock)


async def heard(verdicts, token):
    """As the server asks: what is known, else what the verifier says."""
    return verdicts.known(token) or await verdicts.ask(token, job_uid="a")


async def test_a_good_token_is_asked_about_once_a_minute(verdicts, verifier, clock):
    token = verifier.admit("a")
    for _ in range(3):
        assert await heard(verdicts, token) == Reporter(job_uid="a", ray_cluster="c", namespace="team")
    clock.now += GOOD_SECONDS - 1
    await heard(verdicts, token)
    assert len(verifier.asked) == 1
    clock.now += 1
    await heard(verdicts, token)
    assert len(verifier.asked) == 2


async def test_a_refusal_is_repeated_for_seconds_only(verdicts, verifier, clock):
    token = make_token("a")
    for _ in range(3):
        with pytest.raises(ReportError, match="nobody knows"):
            await heard(verdicts, token)
    assert len(verifier.asked) == 1
    verifier.admit("a")
    clock.now += BAD_SECONDS
    assert (await heard(verdicts, token)).job_uid == "a"


async def test_a_token_that_says_to_have_expired_is_asked_about_again(verdicts, verifier, clock):
    token = verifier.admit("a", exp=int(clock.now) + 5)
    await heard(verdicts, token)
    clock.now += 5
    verifier.reporters.clear()
    with pytest.raises(ReportError, match="nobody knows"):
        await heard(verdicts, token)


async def test_an_api_server_that_is_away_silences_nobody_who_was_proven_lately(verdicts, verifier, clock):
    token = verifier.admit("a")
    await heard(verdicts, token)
    verifier.trouble = TransientError("no route to host")
    clock.now += STALE_SECONDS - 1
    assert (await heard(verdicts, token)).job_uid == "a"
    clock.now += 1
    with pytest.raises(ReportError) as refusal:
        await heard(verdicts, token)
    assert refusal.value.status == 503


async def test_an_expired_token_is_not_believed_while_the_api_server_is_away(verdicts, verifier, clock):
    token = verifier.admit("a", exp=int(clock.now) + 90)
    await heard(verdicts, token)
    verifier.trouble = TransientError("no route to host")
    clock.now += 90
    with pytest.raises(ReportError, match="cannot be verified now"):
        await heard(verdicts, token)


async def test_an_api_server_that_is_away_makes_no_new_token_good(verdicts, verifier):
    verifier.trouble = TransientError("no route to host")
    with pytest.raises(ReportError, match="cannot be verified now"):
        await heard(verdicts, verifier.admit("a"))
    assert len(verdicts) == 0


async def test_the_oldest_verdicts_make_room(verdicts, verifier, monkeypatch):
    monkeypatch.setattr(verdicts_module, "MAX_VERDICTS", 3)
    tokens = [verifier.admit("a", pod=str(number)) for number in range(5)]
    for token in tokens:
        await heard(verdicts, token)
    assert len(verdicts) == 3
    assert [verdicts.known(token) is not None for token in tokens] == [False, False, True, True, True]


async def test_no_token_is_kept(verdicts, verifier):
    token = verifier.admit("a")
    await heard(verdicts, token)
    assert token not in str(verdicts._verdicts)
