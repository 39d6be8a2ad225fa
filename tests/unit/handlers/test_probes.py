"""Probes over HTTP: yes is 200, no is 503 and says why."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from trivium.handlers.probes import Health, Probes


@pytest.fixture
async def probes() -> AsyncIterator[Probes]:
    running = Probes(port=0, alive=Health, ready=lambda: Health(problem="the first full list is under way"))
    await running.start()
    yield running
    await running.stop()


async def _ask(probes: Probes, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{probes.port}{path}") as answer:
        return answer.status, await answer.text()


async def test_yes_is_200(probes: Probes) -> None:
    assert await _ask(probes, "/healthz") == (200, "ok\n")


async def test_no_is_503_and_says_why(probes: Probes) -> None:
    assert await _ask(probes, "/readyz") == (503, "the first full list is under way\n")
