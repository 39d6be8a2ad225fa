"""The composed endpoint: whom it says trainers must trust, at its start and when the files change."""

import asyncio
import ssl

import aiohttp
import pytest

from trivium.handlers.intake import PATH, CertificateError, ProgressEndpoint
from trivium.handlers.intake import endpoint as endpoint_module

from .conftest import Authority


class Trusting:
    """As much of a Controller as the endpoint needs before the first report."""

    def __init__(self):
        self.trusted, self.told = [], asyncio.Event()

    def trust(self, pem):
        self.trusted.append(pem)
        self.told.set()

    async def on_report(self, raw, reporter):
        raise AssertionError("nobody is proven here")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "tls"


async def test_a_changed_authority_reaches_the_controller_while_the_endpoint_serves(folder, monkeypatch):
    monkeypatch.setattr(endpoint_module, "LOOK_SECONDS", 0.01)
    old, new, controller = Authority("old"), Authority("new"), Trusting()
    old.write(folder)
    endpoint = ProgressEndpoint(controller, None, tls_folder=folder, port=0, is_acting=lambda: False)
    await endpoint.start()
    try:
        assert controller.trusted == [old.pem]
        controller.told.clear()
        new.write(folder)
        await asyncio.wait_for(controller.told.wait(), 5)
        assert [authority.pem.strip() in controller.trusted[-1] for authority in (old, new)] == [True, True]
        trust = ssl.create_default_context(cadata=old.pem)
        url = f"https://127.0.0.1:{endpoint.port}{PATH}"
        async with aiohttp.ClientSession() as session, session.post(url, ssl=trust, json={}) as answer:
            assert answer.status == 503
    finally:
        await endpoint.stop()


def test_an_endpoint_without_a_certificate_does_not_start(folder):
    with pytest.raises(CertificateError):
        ProgressEndpoint(Trusting(), None, tls_folder=folder, port=0, is_acting=lambda: True)
