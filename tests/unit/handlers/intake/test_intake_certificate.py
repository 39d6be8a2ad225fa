"""Renewals: what is served when, and whom trainers are told to trust meanwhile."""

import asyncio
import ssl

import pytest

from trivium.handlers.intake.certificate import KEEP_SECONDS, SETTLE_SECONDS, CertificateError, ServingCertificate

from .conftest import Authority


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "tls"


async def served(certificate):
    """The serial number's stand-in: the certificate that a client of any authority is shown."""
    trust = ssl.create_default_context()
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=certificate.context())
    async with server:
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2], ssl=trust)
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
    return ssl.DER_cert_to_PEM_cert(shown)


def on_disk(folder):
    return (folder / "tls.crt").read_text()


async def test_a_renewal_by_the_same_authority_is_served_at_once(folder):
    authority = Authority("one")
    authority.write(folder)
    certificate = ServingCertificate(folder)
    first = await served(certificate)
    authority.write(folder)
    assert certificate.look(now=5) is False, "the bundle stays"
    assert await served(certificate) == on_disk(folder) != first


async def test_files_that_did_not_change_change_nothing(folder):
    Authority("one").write(folder)
    certificate = ServingCertificate(folder)
    context = certificate.context()
    assert certificate.look(now=5) is False
    assert certificate.context() is context


async def test_a_new_authority_is_trusted_first_and_served_later_and_the_old_one_goes_last(folder):
    old, new = Authority("old"), Authority("new")
    old.write(folder)
    certificate = ServingCertificate(folder)
    first = await served(certificate)
    assert certificate.bundle() == old.pem
    new.write(folder)
    assert certificate.look(now=5) is True
    assert (new.pem.strip() in certificate.bundle(), old.pem.strip() in certificate.bundle()) == (True, True)
    assert await served(certificate) == first
    assert certificate.look(now=5 + SETTLE_SECONDS - 1) is False
    assert await served(certificate) == first
    assert certificate.look(now=5 + SETTLE_SECONDS) is False
    assert await served(certificate) == on_disk(folder)
    assert certificate.look(now=5 + KEEP_SECONDS - 1) is False
    assert certificate.look(now=5 + KEEP_SECONDS) is True
    assert certificate.bundle() == new.pem


async def test_a_renewal_while_the_bundle_spreads_waits_for_the_same_moment(folder):
    old, new = Authority("old"), Authority("new")
    old.write(folder)
    certificate = ServingCertificate(folder)
    first = await served(certificate)
    new.write(folder)
    certificate.look(now=0)
    new.write(folder)
    certificate.look(now=SETTLE_SECONDS - 1)
    assert await served(certificate) == first
    certificate.look(now=SETTLE_SECONDS)
    assert await served(certificate) == on_disk(folder)


async def test_a_half_written_renewal_waits_for_the_rest(folder, caplog):
    authority = Authority("one")
    authority.write(folder)
    certificate = ServingCertificate(folder)
    first, key = await served(certificate), (folder / "tls.key").read_bytes()
    authority.write(folder)
    renewed = (folder / "tls.key").read_bytes()
    (folder / "tls.key").write_bytes(key)
    for now in (5, 10):
        assert certificate.look(now=now) is False
    assert await served(certificate) == first
    assert caplog.text.count("the certificate in use stays") == 1, "said once, not at each look"
    (folder / "tls.key").write_bytes(renewed)
    certificate.look(now=15)
    assert await served(certificate) == on_disk(folder)


@pytest.mark.parametrize("lost", ["tls.crt", "tls.key", "ca.crt"])
def test_a_folder_that_lacks_a_file_is_refused_at_the_start(folder, lost):
    Authority("one").write(folder)
    (folder / lost).unlink()
    with pytest.raises(CertificateError, match=lost):
        ServingCertificate(folder)


def test_an_authority_that_is_no_certificate_is_refused_at_the_start(folder):
    Authority("one").write(folder)
    (folder / "ca.crt").write_text("hello")
    with pytest.raises(CertificateError, match="no certificate in it"):
        ServingCertificate(folder)


def test_a_flood_of_authorities_does_not_grow_the_bundle_without_end(folder):
    Authority("one").write(folder)
    certificate = ServingCertificate(folder)
    for number in range(12):
        Authority(str(number)).write(folder)
        certificate.look(now=number)
    assert certificate.bundle().count("BEGIN CERTIFICATE") == 9
