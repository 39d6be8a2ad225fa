"""The trainer's own reporter against the endpoint: its token and the authority change while it runs."""

import asyncio

import pytest

from trivium.handlers.intake.certificate import KEEP_SECONDS, SETTLE_SECONDS
from trivium_trainer.config import Progress
from trivium_trainer.driver.client import ProgressClient, ReportRefusedError
from trivium_trainer.driver.ledger import begin_attempt
from trivium_trainer.driver.reporter import Reporter
from trivium_trainer.driver.state import RunState
from trivium_trainer.layout import MOUNT_ROOT_VARIABLE, StageDirectory
from trivium_trainer.progress import ProgressReport

from .conftest import Authority


@pytest.fixture
def mounts(tmp_path, monkeypatch):
    monkeypatch.setenv(MOUNT_ROOT_VARIABLE, str(tmp_path / "pod"))
    (tmp_path / "pod").mkdir()
    return tmp_path / "pod"


@pytest.fixture
def client(endpoint, mounts):
    (mounts / "ca.crt").write_text(endpoint.certificate.bundle())
    (mounts / "token").write_text(endpoint.verifier.admit("a"))
    return ProgressClient(Progress(url=endpoint.url, token_file="/token", ca_file="/ca.crt"))


async def more_reports(endpoint, count=2):
    """Wait for that many more."""
    want = len(endpoint.taken) + count
    async with asyncio.timeout(20):
        while len(endpoint.taken) < want:
            endpoint.clock.now += 1  # the endpoint's clock, on which nobody reports too often
            await asyncio.sleep(0.01)


async def test_a_run_outlives_its_token_and_its_authority(endpoint, client, mounts, tmp_path):
    attempt = begin_attempt(StageDirectory(tmp_path / "stage"), "one")
    state = RunState(job_uid="a", stage="train", step=4)
    reporter = await asyncio.to_thread(Reporter, client, state, attempt, block=1, interval_seconds=0.02)
    try:
        await more_reports(endpoint)
        renewed = endpoint.verifier.admit("a", pod="head", iat=2)
        (mounts / "token").write_text(renewed)
        endpoint.verifier.reporters = {renewed: endpoint.verifier.reporters[renewed]}
        endpoint.clock.now += 60
        await more_reports(endpoint)
        Authority("two").write(endpoint.folder)
        for at in (0.0, SETTLE_SECONDS, KEEP_SECONDS):
            endpoint.certificate.look(now=at)
            (mounts / "ca.crt").write_text(endpoint.certificate.bundle())
            await more_reports(endpoint)
    finally:
        await asyncio.to_thread(reporter.close)
    assert attempt.remaining_budget() == 3, "the answers arrived, too"
    assert {raw["step"] for raw, _ in endpoint.taken} == {4}
    assert endpoint.verifier.asked[-1] == renewed


async def test_a_trainer_trusts_no_other_authority(endpoint, client, mounts):
    (mounts / "ca.crt").write_text(Authority("of somebody else").pem)
    with pytest.raises(ReportRefusedError, match="CERTIFICATE_VERIFY_FAILED"):
        await asyncio.to_thread(client.post, ProgressReport(job_uid="a", stage="train", sequence=1))
    assert endpoint.taken == []


async def test_a_replica_that_does_not_act_is_asked_again(endpoint, client, tmp_path):
    endpoint.acting = False
    attempt = begin_attempt(StageDirectory(tmp_path / "stage"), "one")
    state = RunState(job_uid="a", stage="train")
    reporter = await asyncio.to_thread(Reporter, client, state, attempt, block=1, interval_seconds=0.02)
    try:
        async with asyncio.timeout(20):
            while not reporter._failures:  # noqa: ASYNC110 - the reporter is a thread, and sets no event of ours
                await asyncio.sleep(0.01)
        endpoint.acting = True
        await more_reports(endpoint, 1)
    finally:
        await asyncio.to_thread(reporter.close)


async def test_the_trainer_hears_why_it_is_refused(endpoint, client, mounts):
    (mounts / "token").write_text("nonsense")
    with pytest.raises(ReportRefusedError, match=r"HTTP 401 Unauthorized: .*audience names no job"):
        await asyncio.to_thread(client.post, ProgressReport(job_uid="a", stage="train", sequence=1))
